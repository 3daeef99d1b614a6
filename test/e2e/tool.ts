import {createInterface} from 'node:readline';
import {Etcd3} from 'etcd3';
import {noop} from 'cockatiel';
import {connectMember} from '../../src/etcd/member.ts';
import {isEtcdError} from '../../src/etcd/member.ts';
import type {EtcdMember} from '../../src/etcd/member.ts';
import {decimalID} from '../../src/etcd/messages.ts';
import type {Member, ReadResult, Request, WriterReport} from './tool-protocol.ts';
import {Writer} from './writer.ts';

/*
 * Speaks with etcd, in the lab from inside of its network, where pod addresses can be reached: one JSON request a line on standard
 * input, one JSON answer a line on standard output.
 */
const writers = new Map<string, Writer>();
const clients = new Map<string, EtcdMember>();
const stores = new Map<string, Etcd3>();

function keyOf(member: Member): string {
  return JSON.stringify([member.address, member.port, member.tls, member.auth]);
}

function memberAt(member: Member): EtcdMember {
  const known = clients.get(keyOf(member));
  if (known) return known;
  const made = connectMember(member, {deadlineMs: 5_000});
  clients.set(keyOf(member), made);
  return made;
}

function storeAt(member: Member): Etcd3 {
  const known = stores.get(keyOf(member));
  if (known) return known;
  const {tls, auth} = member;
  const name = tls?.serverName;
  const made = new Etcd3({
    hosts: `${tls ? 'https' : 'http'}://${member.address}:${member.port}`,
    faultHandling: {host: () => noop, global: noop},
    defaultCallOptions: (context) => (context.isStream ? {} : {deadline: Date.now() + 10_000}),
    grpcOptions: {'grpc.enable_http_proxy': 0, ...(name !== undefined && {'grpc.ssl_target_name_override': name, 'grpc.default_authority': name})},
    ...(auth && {auth}),
    ...(tls && {credentials: {rootCertificate: Buffer.from(tls.ca ?? ''), privateKey: Buffer.from(tls.key ?? ''), certChain: Buffer.from(tls.cert ?? '')}}),
  });
  stores.set(keyOf(member), made);
  return made;
}

/** Keys `seed/00000` and on, in transactions of 100 puts. */
async function seed(member: Member, count: number): Promise<number> {
  const store = storeAt(member);
  const batches = Array.from({length: Math.ceil(count / 100)}, (_, index) => index * 100);
  const lanes = Array.from({length: 4}, async () => {
    for (let first = batches.shift(); first !== undefined; first = batches.shift()) {
      const base = first;
      const puts = Array.from({length: Math.min(100, count - first)}, (_, index) => index)
        .map((index) => base + index).map((number) => store.put(`seed/${String(number).padStart(5, '0')}`).value(seedValue(number)));
      await store.if('never', 'Create', '==', 0).then(...puts).commit();
    }
  });
  await Promise.all(lanes);
  return (await memberAt(member).status()).revision;
}

/** That many puts, of which a few keys know: a log grows, and the database little more than that. */
async function fill(member: Member, count: number, bytes: number): Promise<void> {
  const value = 'x'.repeat(bytes);
  await Promise.all(Array.from({length: count}, async (_, index) => { await memberAt(member).put(`fill/${index % 10}`, value); }));
}

function seedValue(number: number): string {
  return `value ${number} ${'x'.repeat(number % 97)}`;
}

/** Every key with a prefix, in pages of what fits into one answer. */
async function readAll(member: Member, prefix: string, serializable: boolean): Promise<ReadResult> {
  const store = storeAt(member);
  const kvs: ReadResult = {};
  let from = prefix;
  for (;;) {
    const page = await store.getAll().inRange({start: from, end: `${prefix.slice(0, -1)}0`}).limit(2000).serializable(serializable).exec();
    for (const kv of page.kvs) kvs[kv.key.toString()] = {value: kv.value.toString(), revision: Number(kv.mod_revision)};
    const last = page.kvs.at(-1)?.key.toString();
    if (!page.more || last === undefined) return kvs;
    from = `${last}\0`;
  }
}

/** Compares on one member what the seed and the writers say was acknowledged. Only differences are sent back. */
async function compare(member: Member, count: number, expected: WriterReport['acks'], serializable: boolean): Promise<string[]> {
  const [seeds, written] = [await readAll(member, 'seed/', serializable), await readAll(member, 'writer/', serializable)];
  const problems: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const key = `seed/${String(number).padStart(5, '0')}`;
    if (seeds[key]?.value !== seedValue(number)) problems.push(`${key}: ${seeds[key]?.value ?? 'missing'}`);
  }
  for (const ack of expected) {
    if (written[ack.key]?.value !== ack.value) problems.push(`${ack.key} (acknowledged at revision ${ack.revision}): ${written[ack.key]?.value ?? 'missing'}`);
  }
  return problems;
}

async function answer(request: Request): Promise<unknown> {
  switch (request.do) {
    case 'seed': return await seed(request.member, request.count);
    case 'fill': { await fill(request.member, request.count, request.bytes); return {}; }
    case 'status': return await memberAt(request.member).status();
    case 'members': return await memberAt(request.member).memberList({linearizable: request.linearizable});
    case 'hash': return await memberAt(request.member).hashKV(request.revision);
    case 'put': return await memberAt(request.member).put(request.key, request.value);
    case 'get': {
      const {value, revision} = await memberAt(request.member).get(request.key, {serializable: request.serializable});
      return {value: value?.toString(), revision};
    }
    case 'call': {
      const member = memberAt(request.member);
      return await (member[request.method] as (...args: readonly unknown[]) => Promise<unknown>).apply(member, request.args as unknown[]);
    }
    case 'raiseCorrupt': {
      await storeAt(request.member).maintenance.alarm({action: 'Activate', memberID: decimalID(request.memberID), alarm: 'Corrupt'});
      return {};
    }
    case 'compare': return await compare(request.member, request.count, request.acks, request.serializable);
    case 'write': {
      const writer = new Writer(request.name, request.pauseMs);
      writers.set(request.name, writer);
      writer.target(request.members);
      writer.start();
      return {};
    }
    case 'target': writers.get(request.name)?.target(request.members); return {};
    case 'report': return writers.get(request.name)?.report();
    case 'stop': {
      const writer = writers.get(request.name);
      await writer?.stop();
      return writer?.report();
    }
  }
}

const lines = createInterface({input: process.stdin});
lines.on('line', (line) => {
  const request = JSON.parse(line) as Request & {id: number};
  answer(request).then(
    (result) => process.stdout.write(`${JSON.stringify({id: request.id, result: result ?? null})}\n`),
    (error: unknown) => process.stdout.write(`${JSON.stringify({
      id: request.id, error: error instanceof Error ? error.message : String(error), ...(isEtcdError(error) && {kind: error.kind}),
    })}\n`),
  );
});
lines.on('close', () => process.exit(0));
