import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {z} from 'zod';
import {run} from './shell.ts';
import {tar, withParents} from './tar.ts';
import type {TarEntry} from './tar.ts';

/** The part of an image's configuration that the lab's images need, in the terms of the OCI image specification. */
export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** An image of one layer as an OCI archive, such as `ctr images import` reads. */
export function imageArchive(reference: string, config: ImageConfig, files: readonly TarEntry[]): Buffer {
  const layer = tar(withParents(files));
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const rootfs = {type: 'layers', diff_ids: [digest(layer)]};
  const imageConfig = json({architecture, os: 'linux', config, rootfs, history: [{created_by: 'the lab'}]});
  const manifest = manifestOf(imageConfig, [{digest: digest(layer), size: layer.length}]);
  const blob = (content: Buffer): TarEntry => file(`blobs/${digest(content).replace(':', '/')}`, content);
  return tar(withParents([...layoutFiles(reference, manifest), ...[layer, imageConfig, manifest].map(blob)]));
}

const dockerManifestSchema = z.tuple([z.object({Config: z.string(), RepoTags: z.tuple([z.string()]), Layers: z.array(z.string())})]);

/**
 * Turns an unpacked docker archive of one image into an OCI image layout, in place. Its layers are plain tar files named
 * after their own SHA-256, so that equal layers of two builds are equal blobs.
 */
export function layoutOfDockerArchive(directory: string): void {
  const [{Config, RepoTags, Layers}] = dockerManifestSchema.parse(JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')));
  const blobs = join(directory, 'blobs', 'sha256');
  mkdirSync(blobs, {recursive: true});
  const layers = Layers.map((name) => {
    const hex = name.replace(/\.tar$/, '');
    renameSync(join(directory, name), join(blobs, hex));
    return {digest: `sha256:${hex}`, size: statSync(join(blobs, hex)).size};
  });
  const imageConfig = readFileSync(join(directory, Config));
  const manifest = manifestOf(imageConfig, layers);
  for (const content of [imageConfig, manifest]) writeFileSync(join(blobs, digest(content).replace('sha256:', '')), content);
  for (const name of readdirSync(directory).filter((entry) => entry !== 'blobs')) rmSync(join(directory, name), {recursive: true});
  for (const {path, content} of layoutFiles(RepoTags[0], manifest)) writeFileSync(join(directory, path), content ?? '');
}

const layersSchema = z.object({layers: z.array(z.object({digest: z.string()}))});
const indexSchema = z.object({manifests: z.tuple([z.object({digest: z.string()})])});

/** Unpacks the files of a layout's one image. What a layer says to remove from those below it is not: an image made by COPY alone has no such thing. */
export async function unpackLayout(layout: string, directory: string): Promise<void> {
  const blob = (name: string): string => join(layout, 'blobs', name.replace(':', '/'));
  const [{digest: manifest}] = indexSchema.parse(JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))).manifests;
  const {layers} = layersSchema.parse(JSON.parse(readFileSync(blob(manifest), 'utf8')));
  mkdirSync(directory, {recursive: true});
  for (const layer of layers) await run('tar', ['-C', directory, '-xf', blob(layer.digest)]);
}

function manifestOf(imageConfig: Buffer, layers: readonly {digest: string; size: number}[]): Buffer {
  return json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor('application/vnd.oci.image.config.v1+json', imageConfig),
    layers: layers.map((layer) => ({mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer})),
  });
}

function layoutFiles(reference: string, manifest: Buffer): TarEntry[] {
  const annotations = {'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1)};
  const index = json({schemaVersion: 2, manifests: [{...descriptor(manifestType, manifest), annotations}]});
  return [file('oci-layout', json({imageLayoutVersion: '1.0.0'})), file('index.json', index)];
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
