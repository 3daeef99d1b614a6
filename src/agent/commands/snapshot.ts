import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Arguments} from '../arguments.ts';
import {errorCode, Refusal} from '../failure.ts';
import {snapshotChunks} from '../maintenance.ts';
import type {EtcdURL} from '../maintenance.ts';
import {locateData} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {SnapshotReport} from '../report.ts';
import {saveSnapshot} from '../snapshot.ts';

/** A member that answers at all begins at once, and does not stop for so long. */
export const idleMs = 5_000;

/** @throws {Refusal} BadUsage */
export function certificates(directory: string): NonNullable<EtcdURL['tls']> {
  const read = (name: string): string => {
    try {
      return readFileSync(join(directory, name), 'utf8');
    } catch (error) {
      throw new Refusal('BadUsage', `--tls: ${join(directory, name)} cannot be read (${errorCode(error) ?? ''}).`);
    }
  };
  return {ca: read('ca.crt'), cert: read('tls.crt'), key: read('tls.key')};
}

/** Saves a snapshot of the member that runs on this volume, as it says of itself. Its data is not touched. */
export async function snapshot(args: Arguments, onStep?: OnStep): Promise<SnapshotReport> {
  const begin = performance.now();
  const place = locateData(args, onStep);
  const etcd: EtcdURL = {
    url: args.endpoint ?? '', ...(args.serverName !== undefined && {serverName: args.serverName}), ...(args.tls !== undefined && {tls: certificates(args.tls)}),
  };
  const chunks = () => snapshotChunks(etcd, {idleMs, totalMs: (args.within ?? 60) * 1000});
  const facts = await saveSnapshot(place, chunks, {leaveCopy: args.copy, leave: args.needs, expectMember: args.expectMember});
  return {ok: true, command: 'snapshot', run: args.run, ...facts, milliseconds: Math.round(performance.now() - begin)};
}
