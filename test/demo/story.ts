import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {chooseVictims} from '../bench/loss.ts';
import {startMeter} from '../bench/measure.ts';
import type {Loss} from '../e2e/checks.ts';
import {lossSeenBy, required} from '../e2e/checks.ts';
import {untilNoLeader} from '../e2e/faults.ts';
import {Scenario, manyKeys} from '../e2e/scenario.ts';
import type {WriterReport} from '../e2e/tool-protocol.ts';
import {until} from '../e2e/wait.ts';
import type {Lab} from '../lab/lab.ts';
import {operatorNamespace} from '../e2e/install.ts';
import {tell, watchRun} from './live.ts';
import {bold, dim, green, heading, say, seconds, show, timed} from './terminal.ts';

/** What the demo's last line says. */
export interface DemoResult {
  /** From the apply of the resource to the first write that the survivor's own pod accepted. */
  writableSeconds: number;
  /** From the apply to three voters in pods of the StatefulSet, with equal hashes. */
  redundantSeconds: number;
  /** Keys on the survivor when the quorum was lost, and in the recovered cluster at the end, as etcd counts them. */
  keysBefore: number;
  keysAfter: number;
  /** Acknowledged writes that are missing or different on any member: those that the survivor knew as committed, and those of the recovered cluster. */
  keysLost: number;
  hashesEqual: boolean;
  statefulSetUnchanged: boolean;
}

const namespace = 'default';
const file = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');

/** The nodes that etcd starts on, and those that stay free until machines are lost; the operator runs on the latter. */
export const etcdNodes = ['n1', 'n2', 'n3'];
export const spareNodes = ['n4', 'n5'];
export const spareLabel = {role: 'spare'};

/** One etcd from its first key to its recovery. */
export class Story {
  readonly #lab: Lab;
  readonly #scenario: Scenario;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#scenario = new Scenario({kubeconfig: lab.kubeconfig, lab, output: '', operatorNamespace, operatorLog: undefined}, namespace);
  }

  /** Ends what runs beside the demo; the lab stays. */
  close(): void {
    this.#scenario.tool.end();
  }

  async tell(): Promise<DemoResult> {
    await this.#startEtcd();
    const setBefore = await this.#set();
    const {survivor, oldUIDs, loss} = await this.#loseQuorum();
    const keysBefore = await this.#count(survivor);
    say(`${survivor} alone holds ${keysBefore} keys, up to revision ${loss.survivorRevision}`);
    await this.#refusesWrites(survivor);
    const times = await this.#recover(survivor, oldUIDs);
    const report = await this.#scenario.stopWriter();
    return {...times, keysBefore, ...await this.#check(survivor, report, loss), statefulSetUnchanged: setBefore === await this.#set()};
  }

  async #startEtcd(): Promise<void> {
    const scenario = this.#scenario;
    heading('A healthy etcd with data');
    await this.#lab.kubectl(['cordon', ...spareNodes]);
    await this.#lab.kubectl(['apply', '-n', namespace, '-f', '-'], file('etcd.yaml'));
    say('kubectl apply -f test/demo/etcd.yaml: a StatefulSet of three members, as etcd\'s documentation has it');
    await timed('three members are healthy', () => scenario.healthy(3, 120));
    await timed(`${manyKeys} keys are written`, async () => await scenario.tool.seed(await scenario.member('etcd-0'), manyKeys));
    await scenario.startWriter();
    await until('the first writes', async () => ((await scenario.writerReport()).acks.length >= 200 ? true : undefined));
    say('a client writes one key after the other from now on, and remembers each one that etcd acknowledged');
    await this.#sayMembers();
    show(await this.#lab.kubectl(['get', 'pods', '-n', namespace, '-o', 'wide']));
  }

  async #loseQuorum(): Promise<{survivor: string; oldUIDs: string[]; loss: Loss}> {
    const scenario = this.#scenario;
    const {survivor, lost, oldUIDs} = await chooseVictims(scenario);
    const nodes = await Promise.all(lost.map((pod) => scenario.nodeOf(pod)));
    heading(`Two of three machines burn down: ${nodes.join(' and ')}, with ${lost.join(' (the leader) and ')}`);
    await timed('every process of both nodes is killed, and their links are down', async () => { await Promise.all(nodes.map((node) => this.#lab.endNode(node))); });
    const loss = await lossSeenBy(scenario, survivor);
    for (const node of nodes) await this.#lab.removeNode(node);
    await Promise.all(nodes.map((node) => this.#lab.deleteNode(node)));
    say('their disks are destroyed, and their Node objects deleted, as a cloud does with machines that are gone');
    await this.#lab.kubectl(['uncordon', ...spareNodes]);
    say(`the spare machines ${spareNodes.join(' and ')} may be used now`);
    return {survivor, oldUIDs, loss};
  }

  async #refusesWrites(survivor: string): Promise<void> {
    await untilNoLeader(this.#scenario, survivor);
    heading(`No quorum: ${survivor} has no leader, and etcd refuses writes`);
    say(`kubectl exec ${survivor} -- etcdctl put hello world`);
    const refusal = await this.#etcdctl(survivor, ['--command-timeout=10s', 'put', 'hello', 'world']).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (refusal === undefined) throw new Error('etcd accepted a write without a quorum');
    show(refusal.split('\n').filter((line) => line.startsWith('Error')).join('\n') || refusal);
    show(await this.#lab.kubectl(['get', 'nodes']));
    show(await this.#lab.kubectl(['get', 'pods', '-n', namespace, '-l', 'app=etcd', '-o', 'wide']));
    say('(nobody is left on the lost nodes who could tell Kubernetes that their pods do not run any more)');
  }

  async #recover(survivor: string, oldUIDs: string[]): Promise<Pick<DemoResult, 'writableSeconds' | 'redundantSeconds'>> {
    heading('One resource is applied');
    show(file('recovery.yaml'));
    const meter = startMeter(this.#lab, {namespace, set: 'etcd', through: [survivor], oldUIDs});
    try {
      const appliedAt = Date.now();
      await this.#lab.kubectl(['apply', '-n', namespace, '-f', '-'], file('recovery.yaml'));
      tell(appliedAt, 'kubectl apply -f test/demo/recovery.yaml');
      void meter.writable.then((at) => { tell(appliedAt, bold(green(`WRITES ARE BACK: ${survivor} in its own pod accepted one`)), at); }, () => undefined);
      void meter.redundant.then((at) => { tell(appliedAt, bold(green('THREE VOTERS with equal hashes, each in its own pod of the StatefulSet')), at); }, () => undefined);
      const {status} = await watchRun(this.#scenario, appliedAt);
      if (status?.run?.outcome !== 'Recovered') throw new Error(`the run ended with ${status?.run?.outcome ?? 'nothing'}`);
      const [writableAt, redundantAt] = await Promise.all([meter.writable, meter.redundant]);
      return {writableSeconds: rounded(writableAt - appliedAt), redundantSeconds: rounded(redundantAt - appliedAt)};
    } finally {
      meter.end();
    }
  }

  /** Looks at everything itself; nothing that the operator says is taken for it. */
  async #check(survivor: string, report: WriterReport, loss: Loss): Promise<Pick<DemoResult, 'keysAfter' | 'keysLost' | 'hashesEqual'>> {
    const scenario = this.#scenario;
    heading('What there is now, as etcd and Kubernetes say it');
    await scenario.healthy(3);
    const members = await scenario.members();
    const expected = required(report, loss);
    const missing = new Set<string>();
    for (const member of members) for (const key of await scenario.tool.compare(member, manyKeys, expected, true)) missing.add(key);
    const duringLoss = report.acks.length - expected.length;
    say(`${manyKeys} seeded keys and ${expected.length} acknowledged writes are looked up on each of ${members.length} members: ${missing.size === 0 ? green('none is missing') : bold(`${missing.size} missing`)}`);
    if (duringLoss > 0) say(`${duringLoss} more were acknowledged by the two that burned in their last moment, and never reached ${survivor} as committed`);
    const last = report.acks.filter((ack) => ack.at <= loss.at).at(-1)?.at ?? loss.at;
    const next = report.acks.find((ack) => ack.at > loss.at + 1_000)?.at;
    if (next !== undefined) say(`the client could not write for ${seconds(last, next)} s in all, from the fire on`);
    await this.#sayMembers();
    const hashes = await this.#hashes();
    for (const {pod, hash, revision} of hashes) say(`${pod}: hash ${hash} at revision ${revision}`);
    show(await this.#etcdctl(survivor, ['member', 'list', '-w', 'table']));
    show(await this.#lab.kubectl(['get', 'pods', '-n', namespace, '-l', 'app=etcd', '-o', 'wide']));
    show(await this.#lab.kubectl(['get', 'qr', '-n', namespace, '-o', 'wide']));
    show(await this.#lab.kubectl(['events', '-n', namespace, '--for', 'quorumrecovery/etcd']));
    return {
      keysAfter: await this.#count(survivor), keysLost: missing.size,
      hashesEqual: hashes.length === 3 && new Set(hashes.map(({hash}) => hash)).size === 1,
    };
  }

  async #sayMembers(): Promise<void> {
    for (const member of await this.#scenario.members()) {
      const {memberID, leader, revision, dbSizeBytes, version} = await this.#scenario.tool.status(member);
      say(`${member.pod}: ${memberID === leader ? 'leader' : 'follower'}, etcd ${version}, revision ${revision}, ${(dbSizeBytes / 1e6).toFixed(1)} MB`);
    }
  }

  /** HashKV of every member at the revision of a new write. */
  async #hashes(): Promise<{pod: string; hash: number; revision: number}[]> {
    const {tool} = this.#scenario;
    const members = await this.#scenario.members();
    const [first] = members;
    if (first === undefined) throw new Error('no etcd runs');
    const {revision} = await tool.put(first, 'demo/check', 'yes');
    return await Promise.all(members.map(async (member) => ({
      pod: member.pod, revision, hash: await until(`revision ${revision} on ${member.pod}`, async () => (await tool.hash(member, revision)).hash, {seconds: 20}),
    })));
  }

  /** Keys on one member, as it counts them itself. */
  async #count(pod: string): Promise<number> {
    const counts = await Promise.all(['seed/', 'writer/'].map(async (prefix) => {
      const fields = await this.#etcdctl(pod, ['get', prefix, '--prefix', '--count-only', '--consistency=s', '-w', 'fields']);
      return Number(/"Count" : (\d+)/.exec(fields)?.[1]);
    }));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #etcdctl(pod: string, args: string[]): Promise<string> {
    return await this.#lab.kubectl(['exec', '-n', namespace, pod, '--', 'etcdctl', ...args]);
  }

  /** What has to be the same before and after, byte for byte. */
  async #set(): Promise<string> {
    const {metadata, spec} = await this.#scenario.statefulSet();
    return JSON.stringify({uid: metadata?.uid, generation: metadata?.generation, labels: metadata?.labels, annotations: metadata?.annotations, spec});
  }

  /** What can be read where it went wrong. */
  async explain(): Promise<void> {
    const ask = async (args: string[]): Promise<void> => { show(dim(await this.#lab.kubectl(args).catch((error: unknown) => String(error)))); };
    await ask(['get', 'pods', '-A', '-o', 'wide']);
    await ask(['get', 'qr', '-A', '-o', 'yaml']);
    await ask(['logs', '-n', operatorNamespace, '-l', 'app.kubernetes.io/name=quorum-recovery-operator', '--prefix', '--tail=40']);
  }
}

const rounded = (milliseconds: number): number => Math.round(milliseconds / 10) / 100;
