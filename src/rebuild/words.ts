import type {RebuildSource} from '../api/rebuild.ts';

export const sourceInWords = ({configMap, secret, claim, path, cronJob}: Pick<RebuildSource, 'configMap' | 'secret' | 'claim' | 'path' | 'cronJob'>): string =>
  (claim !== undefined ? `file ${path ?? ''} of claim ${claim}` : configMap !== undefined ? `ConfigMap ${configMap}` : secret !== undefined ? `Secret ${secret}` : `CronJob ${cronJob ?? ''}`);

/** A key as it may stand in a message: in base64 where it is no plain text. */
export function keyInWords(key: Buffer): string {
  const text = key.toString('utf8');
  return /^[\x21-\x7e]+$/.test(text) ? text : `${key.toString('base64')} (base64)`;
}
