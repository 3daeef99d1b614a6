import {Agent} from 'node:https';
import {Readable} from 'node:stream';
import {
  AbortMultipartUploadCommand, DeleteObjectCommand, GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client,
} from '@aws-sdk/client-s3';
import {Upload} from '@aws-sdk/lib-storage';
import {Refusal} from '../failure.ts';
import type {StoreConfig} from './config.ts';
import type {SnapshotStore, StoredObject} from './store.ts';

type BucketConfig = Omit<Extract<StoreConfig, {kind: 's3'}>, 'kind' | 'caFile'>;

/** Parts of an upload: S3 allows 10,000, and the largest etcd has 8 GiB. */
const partBytes = 8 << 20;
/** Without an answer for so long a request is given up, ms; the client repeats it twice. */
const requestMs = 30_000;

/** @param ca PEM text of the authority of the server's certificate */
export async function openBucket(config: BucketConfig, ca: string | undefined): Promise<SnapshotStore> {
  const {region, endpoint, forcePathStyle} = config;
  const client = new S3Client({
    region, forcePathStyle, ...(endpoint !== undefined && {endpoint}), maxAttempts: 3,
    // Servers other than AWS's know no more than what S3 had before.
    requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {connectionTimeout: 5_000, requestTimeout: requestMs, throwOnRequestTimeout: true, ...(ca !== undefined && {httpsAgent: new Agent({ca, keepAlive: true})})},
  });
  return await Promise.resolve(new Bucket(client, config));
}

/** Snapshots as objects of a bucket. A multipart upload appears when it is completed, as a whole. */
class Bucket implements SnapshotStore {
  readonly where: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(client: S3Client, {bucket, prefix, endpoint}: BucketConfig) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix === undefined ? '' : `${prefix}/`;
    this.where = `bucket ${bucket}${prefix === undefined ? '' : `, prefix ${prefix}`}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
  }

  async list(): Promise<StoredObject[]> {
    return await this.#ask(async () => {
      const found: StoredObject[] = [];
      let next: string | undefined;
      do {
        const page = await this.#client.send(new ListObjectsV2Command({Bucket: this.#bucket, Prefix: this.#prefix, Delimiter: '/', ...(next !== undefined && {ContinuationToken: next})}));
        for (const {Key = '', Size = 0, LastModified} of page.Contents ?? []) {
          const name = Key.slice(this.#prefix.length);
          if (/^[^./][^/]*$/.test(name)) found.push({name, bytes: Size, modifiedAt: LastModified?.getTime() ?? 0});
        }
        next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (next !== undefined);
      return found;
    });
  }

  async* read(name: string): AsyncGenerator<Buffer> {
    const {Body} = await this.#ask(async () => await this.#client.send(new GetObjectCommand({Bucket: this.#bucket, Key: this.#prefix + name})), name);
    if (!(Body instanceof Readable)) throw new Refusal('StoreUnreachable', `Nothing comes of ${name} from ${this.where}.`);
    try {
      yield* Body as AsyncIterable<Buffer>;
    } catch (error) {
      throw this.#refusal(error, name);
    }
  }

  async write(name: string, content: AsyncIterable<Buffer>, bytes: number): Promise<void> {
    let sent = 0;
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const piece of content) {
        sent += piece.length;
        yield piece;
      }
      // An error in the body: the upload is given up, and nothing appears.
      if (sent !== bytes) throw new Refusal('SnapshotDamaged', `${sent} of ${bytes} bytes came. Nothing was kept.`);
    };
    const upload = new Upload({
      client: this.#client, partSize: partBytes, queueSize: 2, leavePartsOnError: false,
      params: {Bucket: this.#bucket, Key: this.#prefix + name, Body: Readable.from(counted(), {objectMode: false})},
    });
    await this.#ask(async () => await upload.done());
  }

  async remove(name: string): Promise<void> {
    await this.#ask(async () => await this.#client.send(new DeleteObjectCommand({Bucket: this.#bucket, Key: this.#prefix + name})));
  }

  async clean(isOurs: (name: string) => boolean): Promise<number> {
    return await this.#ask(async () => {
      const {Uploads = []} = await this.#client.send(new ListMultipartUploadsCommand({Bucket: this.#bucket, Prefix: this.#prefix}));
      const left = Uploads.filter(({Key = ''}) => isOurs(Key.slice(this.#prefix.length)));
      for (const {Key, UploadId} of left) await this.#client.send(new AbortMultipartUploadCommand({Bucket: this.#bucket, Key, UploadId}));
      return left.length;
    });
  }

  async #ask<T>(act: () => Promise<T>, name?: string): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw this.#refusal(error, name);
    }
  }

  /** Errors of S3 carry the server's code as their name and its HTTP status; those of the network have neither. */
  #refusal(error: unknown, name?: string): Error {
    if (error instanceof Refusal) return error;
    if (!(error instanceof Error)) return new Error(String(error));
    const status = '$metadata' in error ? (error.$metadata as {httpStatusCode?: number}).httpStatusCode : undefined;
    if (error.name === 'NoSuchKey' && name !== undefined) return new Refusal('NoSnapshot', `There is no ${name} in ${this.where}.`);
    if (error.name === 'CredentialsProviderError') return new Refusal('StoreRefused', `There is no access key for ${this.where}: name a Secret in spec.snapshot.s3.credentials (${error.message}).`);
    if (status !== undefined && status >= 400 && status < 500) return new Refusal('StoreRefused', `${this.where} answers ${status} ${error.name}: ${error.message}.`);
    if (status !== undefined && status >= 500) return new Refusal('StoreUnreachable', `${this.where} answers ${status} ${error.name}: ${error.message}.`);
    const {code} = error as NodeJS.ErrnoException;
    return new Refusal('StoreUnreachable', `${this.where} cannot be reached: ${code ?? error.name}: ${error.message || code || 'no answer'}.`);
  }
}
