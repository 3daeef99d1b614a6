import type {Launch} from '../etcd/launch/types.ts';

export const urlOf = (texts: readonly string[]) => texts.map((text) => URL.parse(text)).find((url) => url !== null && !/^(127\.|localhost|\[::1\])/.test(url.hostname));

export const portOf = (texts: readonly string[], fallback: number) => Number(urlOf(texts)?.port || fallback);

/** Where an etcd serves clients in its pod, and over TLS the name that it advertises, which its certificate carries. */
export const clientAddress = ({listenClientURLs, advertiseClientURLs}: Launch): {port: number; serverName: string | undefined} =>
  ({port: portOf(listenClientURLs, 2379), serverName: urlOf(advertiseClientURLs)?.hostname});
