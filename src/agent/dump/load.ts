import {connectMember} from '../../etcd/client.ts';
import {isEtcdError} from '../../etcd/errors.ts';
import type {EtcdMember} from '../../etcd/types.ts';
import {inBatches} from '../../rebuild/batches.ts';
import {keyInWords} from '../../rebuild/words.ts';
import {certificates} from '../commands/snapshot.ts';
import {Refusal} from '../failure.ts';
import type {DumpCompareReport, DumpLoadReport} from '../report.ts';
import type {DumpArguments} from './arguments.ts';
import {dumpFile, entriesIn, readWhole} from './file.ts';

function connect({endpoint, tls, serverName}: DumpArguments): EtcdMember {
  const {protocol, hostname, port} = new URL(endpoint);
  return connectMember({
    address: hostname.replace(/^\[|\]$/g, ''), port: Number(port),
    ...(protocol === 'https:' && {tls: {...(tls !== undefined && certificates(tls)), ...(serverName !== undefined && {serverName})}}),
  });
}

type Member = Pick<EtcdMember, 'status' | 'putAll' | 'getAll' | 'close'>;

/** With the member of the new cluster, and of no other. */
async function withMember<T>(args: DumpArguments, member: Member, use: (member: Member) => Promise<T>): Promise<T> {
  try {
    const {clusterID} = await member.status();
    if (clusterID !== args.cluster) throw new Refusal('ClusterMismatch', `${args.endpoint} is in cluster ${clusterID}, not in ${args.cluster}. Nothing was written.`);
    return await use(member);
  } catch (error) {
    if (isEtcdError(error)) throw new Refusal('EtcdUnreachable', error.message);
    throw error;
  } finally {
    member.close();
  }
}

/**
 * Writes every key of the dump, a bounded transaction at a time, once all of it was read and found good. Cut off anywhere, it is done again from
 * the beginning: the same keys get the same values.
 */
export async function dumpLoad(args: DumpArguments, member: Member = connect(args)): Promise<DumpLoadReport> {
  const file = dumpFile(args.root, args.path);
  const facts = await readWhole(file, args.owner);
  await withMember(args, member, async () => {
    for await (const batch of inBatches(entriesIn(file))) await member.putAll(batch);
  });
  const after = await readWhole(file, args.owner);
  if (after.hash !== facts.hash) throw new Refusal('DataInUse', 'it was changed while it was loaded');
  return {ok: true, command: 'dump-load', run: args.run, ...facts};
}

/** Compares every key with what the cluster has. The first that differs is told, and nothing of a value. */
export async function dumpCompare(args: DumpArguments, member: Member = connect(args)): Promise<DumpCompareReport> {
  const file = dumpFile(args.root, args.path);
  const facts = await readWhole(file, args.owner);
  const wrong = await withMember(args, member, async () => {
    for await (const batch of inBatches(entriesIn(file))) {
      const values = await member.getAll(batch.map(({key}) => key));
      const at = batch.findIndex(({value}, index) => values[index]?.equals(value) !== true);
      const entry = batch[at];
      if (entry !== undefined) return `key ${keyInWords(entry.key).slice(0, 300)} ${values[at] === undefined ? 'is not there' : 'has another value'}`;
    }
    return undefined;
  });
  return {ok: true, command: 'dump-compare', run: args.run, ...facts, ...(wrong !== undefined && {wrong})};
}
