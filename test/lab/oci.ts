import {createHash} from 'node:crypto';
import {tar, withParents} from './tar.ts';
import type {TarEntry} from './tar.ts';

/** The part of an image's configuration that the lab's images need, in the terms of the OCI image specification. */
export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
}

/** An image of one layer as an OCI archive, such as `ctr images import` reads. */
export function imageArchive(reference: string, config: ImageConfig, files: readonly TarEntry[]): Buffer {
  const layer = tar(withParents(files));
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const rootfs = {type: 'layers', diff_ids: [digest(layer)]};
  const imageConfig = json({architecture, os: 'linux', config, rootfs, history: [{created_by: 'the lab'}]});
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', imageConfig),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const annotations = {'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1)};
  const index = json({schemaVersion: 2, manifests: [{...descriptor('application/vnd.oci.image.manifest.v1+json', manifest), annotations}]});
  const blob = (content: Buffer): TarEntry => file(`blobs/${digest(content).replace(':', '/')}`, content);
  return tar(withParents([file('oci-layout', json({imageLayoutVersion: '1.0.0'})), file('index.json', index), ...[layer, imageConfig, manifest].map(blob)]));
}

export function file(path: string, content: Buffer | string, mode = 0o644): TarEntry {
  return {path, kind: 'file', mode, content: typeof content === 'string' ? Buffer.from(content) : content};
}

function descriptor(mediaType: string, content: Buffer): object {
  return {mediaType, digest: digest(content), size: content.length};
}

function digest(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
