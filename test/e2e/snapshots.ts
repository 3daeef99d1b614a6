import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {closeSync, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {run} from '../lab/shell.ts';
import {etcdctl} from './etcdctl.ts';
import {labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';
import {until} from './wait.ts';

/** The claim of the store, in the case's namespace. */
export const storeClaim = 'backups';

/** A directory of this machine that every node of the lab sees, as a claim that any pod can mount, and snapshots in it. */
export class SnapshotStore {
  readonly #scenario: Scenario;
  readonly #directory: string;

  constructor(scenario: Scenario, directory: string) {
    this.#scenario = scenario;
    this.#directory = directory;
  }

  file(name: string): string {
    return join(this.#directory, name);
  }

  /** As a person takes one, from this member. @returns its revision */
  async take(name: string, pod: string): Promise<number> {
    await etcdctl(this.#scenario, pod, 'snapshot', 'save', this.file(name));
    return await this.revision(name);
  }

  /** What etcdutl says of it. */
  async revision(name: string): Promise<number> {
    const {revision} = JSON.parse(await run(join(labOf(this.#scenario).bin, 'etcdutl'), ['snapshot', 'status', this.file(name), '-w', 'json'])) as {revision: number};
    return revision;
  }

  /** The same with one byte in the middle changed. */
  corrupt(name: string, as: string): void {
    const bytes = readFileSync(this.file(name));
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    writeFileSync(this.file(as), bytes);
  }

  truncate(name: string, as: string): void {
    const bytes = readFileSync(this.file(name));
    writeFileSync(this.file(as), bytes);
    truncateSync(this.file(as), Math.floor(bytes.length / 2));
  }

  /** The same data as a whole snapshot of a cluster with other members. */
  async makeForeign(name: string, as: string): Promise<void> {
    const scratch = mkdtempSync(join(tmpdir(), 'e2e-foreign-'));
    try {
      await run(join(labOf(this.#scenario).bin, 'etcdutl'), ['snapshot', 'restore', this.file(name), '--data-dir', join(scratch, 'other'), '--initial-cluster-token', 'other']);
      const database = readFileSync(join(scratch, 'other', 'member', 'snap', 'db'));
      writeFileSync(this.file(as), Buffer.concat([database, createHash('sha256').update(database).digest()]));
    } finally {
      rmSync(scratch, {recursive: true});
    }
  }

  /** Without a record its age is its file's. */
  copy(name: string, as: string, age: {hours: number}): void {
    writeFileSync(this.file(as), readFileSync(this.file(name)));
    const time = new Date(Date.now() - age.hours * 3_600_000);
    utimesSync(this.file(as), time, time);
  }

  /** Another file has its name from now on; who has it open reads on in the first one. */
  rename(name: string, as: string): void {
    renameSync(this.file(name), this.file(as));
  }

  /** Writes to it again and again, and nothing but what is there already, as a job does that copies it in pieces. @returns what ends that */
  keepWriting(name: string): () => void {
    const fd = openSync(this.file(name), 'r+');
    const first = Buffer.alloc(1);
    readSync(fd, first, 0, 1, 0);
    const timer = setInterval(() => { writeSync(fd, first, 0, 1, 0); }, 250);
    return () => {
      clearInterval(timer);
      closeSync(fd);
    };
  }

  remove(name: string): void {
    rmSync(this.file(name));
  }

  end(): void {
    rmSync(this.#directory, {recursive: true, force: true});
  }
}

/** A store for the time of `act`. */
export async function withStore<T>(scenario: Scenario, act: (store: SnapshotStore) => Promise<T>): Promise<T> {
  const {namespace, kube} = scenario;
  const directory = mkdtempSync(join(tmpdir(), 'e2e-store-'));
  const store = new SnapshotStore(scenario, directory);
  const name = `${namespace}-store`;
  const resources = {storage: '1Gi'};
  const spec = {accessModes: ['ReadWriteMany'], storageClassName: ''};
  try {
    await kube.create('persistentvolumes', {metadata: {name}, spec: {...spec, capacity: resources, hostPath: {path: directory}, persistentVolumeReclaimPolicy: 'Retain', claimRef: {namespace, name: storeClaim}}});
    await kube.create('persistentvolumeclaims', {metadata: {name: storeClaim, namespace}, spec: {...spec, volumeName: name, resources: {requests: resources}}});
    // The controller that binds them may look again only after a quarter of a minute, where it saw the claim before the volume.
    await until(`the claim ${storeClaim} to be bound`, async () => (await kube.get('persistentvolumeclaims', namespace, storeClaim))?.status?.phase === 'Bound' || undefined, {seconds: 60});
    return await act(store);
  } finally {
    store.end();
  }
}

/** What stands in the plan of the snapshot that was taken last. */
export function isPlanned(planned: {name: string; revision: number} | undefined, name: string, revision: number): void {
  assert.deepEqual([planned?.name, planned?.revision], [name, revision]);
}
