import type {Run} from '../../api/types.ts';
import {marks} from '../../api/types.ts';
import {refusedUntouched, turnOf} from '../../decide/steps/forceHelper.ts';
import {hasStarted} from '../../decide/evidence/processes.ts';
import {hasFence, isGated} from '../../kubernetes/ownPods.ts';
import {agentReport} from '../../observe/agentReport.ts';
import {isReady} from './facts.ts';
import type {ClaimFacts, ReleaseFacts} from './facts.ts';

export const runbook = 'docs/runbooks/operator-dead.md';

/** Why a run ended that this command let go. An operator does not begin it anew. */
export const reasonByHand = 'ReleasedByHand';

/** How far a run got, as the runbook's second part asks. */
export type Stage = 'Nothing' | 'BeforeForce' | 'NewClusterBegun' | 'Forced' | 'Serving';

/** What --yes does not answer: a word that has to be typed, or its own option. */
export interface Question {
  text: string;
  word: string;
  option: string;
}

export interface Release {
  stage: Stage;
  /** Why nothing is done at all; empty: it may be done once the questions are answered. */
  refusals: string[];
  questions: Question[];
  letGo: {pod: string; why: string}[];
  keep: {pod: string; why: string}[];
}

/** What a person said beforehand, by options. */
export interface Said {
  operatorIsDead: boolean;
  startEmpty: readonly string[];
  afterForce: boolean;
}

const forcePods = ({helpers}: ReleaseFacts) => helpers.filter((pod) => pod.metadata?.labels?.[marks.helper] === 'Force');

/** As the operator itself judges it (decide/steps/forceHelper.ts), from what can be seen without one. */
function forceMayHaveBegun(facts: ReleaseFacts, {force}: Run): boolean {
  if (force?.podUID !== undefined) return true;
  const pods = forcePods(facts);
  if (pods.length > 0 && pods.every((pod) => refusedUntouched(agentReport(pod), force))) return false;
  return force?.turnGiven === true || (force?.refused ?? []).length > 0 || pods.some((pod) => turnOf(pod) !== undefined);
}

/** A new cluster was begun with, and what is to be in it is there: it serves, and what a rebuild loads is loaded and checked. */
function newClusterStage({newCluster, steps}: Run): 'NewClusterBegun' | 'Serving' | undefined {
  if (newCluster?.begunAt === undefined) return undefined;
  const loading = steps.some(({name, state}) => (name === 'Load' || name === 'Check') && state !== 'Done');
  return newCluster.servedAt === undefined || loading ? 'NewClusterBegun' : 'Serving';
}

export function stageOf(facts: ReleaseFacts): Stage {
  const {status, metadata} = facts.resource;
  const run = status?.run;
  const held = (status?.heldPods ?? []).length > 0 || facts.pods.some((pod) => isGated(pod) || hasFence(pod)) || facts.helpers.length > 0 || facts.dependents.length > 0;
  if (run === undefined || (!held && !(metadata.finalizers ?? []).includes(marks.finalizer))) return 'Nothing';
  const anew = newClusterStage(run);
  if (anew !== undefined) return anew;
  if (run.writableAt !== undefined || run.replace !== undefined) return 'Serving';
  // Said and written before the helpers went, which were what told it.
  if (run.aborted?.reason === reasonByHand) return 'BeforeForce';
  return forceMayHaveBegun(facts, run) ? 'Forced' : 'BeforeForce';
}

/** The claim that a member's data is on, where the record tells; else all of the pod's claims. */
function dataClaims({resource, claims}: ReleaseFacts, pod: string): ClaimFacts[] {
  const all = claims.get(pod) ?? [];
  const known = resource.status?.members?.find((member) => member.pod === pod)?.claim;
  const data = all.filter((claim) => claim.name === known);
  return data.length > 0 ? data : all;
}

interface Judgement {
  pod: string;
  may: boolean;
  why: string;
}

type ClaimJudgement = Omit<Judgement, 'pod'>;

/** What the run itself has seen of a claim, where no witness tells. */
function judgeByRun({resource}: ReleaseFacts, pod: string, name: string, uid: string): ClaimJudgement {
  const {members, run} = resource.status ?? {};
  const recorded = members?.find((member) => member.pod === pod)?.claimUID;
  if (recorded !== undefined && recorded !== uid) return {may: false, why: `its claim ${name} was made anew since the run began`};
  if (run?.offline?.some((facts) => facts.pod === pod) === true) return {may: true, why: `its disk (${name}) was read, and has data`};
  // A member that answered while the plan was made is not read from its disk before it is stopped.
  const rank = run?.plan?.ranks.find((one) => one.pod === pod);
  if (recorded !== undefined && rank !== undefined && rank.from !== 'unread') return {may: true, why: `its etcd answered with data from ${name} when the plan was made`};
  return {may: false, why: `nobody has seen data on its claim ${name}`};
}

/**
 * Whether a pod may start: on data that was seen, or where it cannot start at all. With `initial-cluster-state=new` two pods on empty claims
 * elect an empty cluster, so that anything that is not known counts as empty.
 */
function judgeClaim(facts: ReleaseFacts, pod: string, {name, object, place}: ClaimFacts): ClaimJudgement {
  const {lastHealthy, run} = facts.resource.status ?? {};
  const uid = object?.metadata?.uid;
  if (uid === undefined) return {may: false, why: `its claim ${name} is gone, and an empty one would be made`};
  if (place?.at === 'GoneNode') return {may: true, why: `stays Pending: the volume of ${name} is on a node that is gone`};
  const read = run?.offline?.filter((one) => one.pod === pod).at(-1);
  if (read !== undefined && read.data !== 'Present') return {may: false, why: `its disk (${name}) was read as ${read.data}`};
  const witness = lastHealthy?.members.find((member) => member.pod === pod)?.claimUID;
  if (witness === undefined) return judgeByRun(facts, pod, name, uid);
  return witness === uid ? {may: true, why: `${name} is the claim that it had when the cluster was whole`} : {may: false, why: `its claim ${name} was made anew since the cluster was whole`};
}

function judge(facts: ReleaseFacts, pod: string): Judgement {
  const object = facts.pods.find((one) => one.metadata?.name === pod);
  if (object?.metadata?.annotations?.[marks.cluster] !== undefined) return {pod, may: false, why: 'it was made to join a cluster, and never joins by being started'};
  if (facts.resource.status?.run?.heldBefore?.includes(pod) === true) return {pod, may: false, why: 'an earlier run left it held: the data on its disk may be no member\'s'};
  const judged = dataClaims(facts, pod).map((claim) => judgeClaim(facts, pod, claim));
  const bad = judged.find(({may}) => !may);
  if (bad !== undefined) return {pod, ...bad};
  return {pod, may: judged.length > 0, why: judged[0]?.why ?? 'its claims are not known'};
}

/** Names that are held, and pods that wait behind a gate or a fence without their name standing in the status. */
function concerned({resource, pods}: ReleaseFacts): string[] {
  const own = pods.filter((pod) => isGated(pod) || hasFence(pod)).map((pod) => pod.metadata?.name ?? '');
  return [...new Set([...resource.status?.heldPods ?? [], ...own])].sort();
}

function operatorRefusals({operators}: ReleaseFacts, said: Said): {refusals: string[]; questions: Question[]} {
  const [first] = operators ?? [];
  if (first !== undefined) {
    const {namespace = '', name = ''} = first.metadata ?? {};
    const ready = operators?.some(isReady) === true;
    if (ready) return {questions: [], refusals: [`an operator runs (pod ${name} in ${namespace}): it lets everything go by itself where that is safe. Pause or delete the QuorumRecovery instead`]};
    if (!said.operatorIsDead) return {questions: [], refusals: [`pod ${name} of the operator is there in ${namespace}, though not Ready: one that comes back half-way would go on with the run. Scale it down first (kubectl -n ${namespace} scale deployment -l app.kubernetes.io/name=quorum-recovery-operator --replicas=0), or add --operator-is-dead`]};
  }
  if (operators !== undefined || said.operatorIsDead) return {refusals: [], questions: []};
  return {refusals: [], questions: [{text: 'You may not see the operator\'s pods, so it cannot be told whether one runs. One that does, or comes back half-way, would go on with the run. Is it scaled to 0?', word: 'dead', option: '--operator-is-dead'}]};
}

/** Before the force every disk is as it was: what has data starts on it, and the rest stays held. */
function beforeForce(facts: ReleaseFacts, said: Said): Pick<Release, 'letGo' | 'keep' | 'questions'> {
  const judged = concerned(facts).map((pod) => judge(facts, pod));
  const accepted = judged.filter(({pod, may}) => !may && said.startEmpty.includes(pod));
  return {
    letGo: [...judged.filter(({may}) => may), ...accepted].map(({pod, why}) => ({pod, why})),
    keep: judged.filter((one) => !one.may && !accepted.includes(one)).map(({pod, why}) => ({pod, why})),
    questions: [],
  };
}

/** After it the survivor alone may start: the others' data is of a cluster that is no more. */
function afterForce(facts: ReleaseFacts, run: Run): Pick<Release, 'letGo' | 'keep' | 'refusals'> {
  const survivor = run.plan?.survivor ?? '';
  const refusals: string[] = [];
  const pods = forcePods(facts);
  const container = (pod: (typeof pods)[number]) => pod.spec?.containers[0]?.name ?? 'etcd';
  const never = pods.length > 0 && pods.every((pod) => !hasStarted(pod, container(pod))) && (run.force?.attempt ?? 1) === 1;
  if (run.writableAt === undefined && never) refusals.push(`the forced etcd was never started, but its agent may have changed the log on ${survivor}'s disk: put the copy back first (${runbook}, part 4, step 2)`);
  return {
    refusals,
    letGo: concerned(facts).includes(survivor) ? [{pod: survivor, why: 'the survivor, the only one whose data the new cluster is made of'}] : [],
    keep: concerned(facts).filter((pod) => pod !== survivor).map((pod) => ({pod, why: 'its data is of the old cluster, or empty; it has to join, which takes an operator'})),
  };
}

/** Half-way data is nothing that a pod may start on, and only an operator goes on with it. */
function newClusterBegun(facts: ReleaseFacts, {id, newCluster}: Run): Pick<Release, 'keep' | 'refusals'> {
  const {members = [], seeded = [], servedAt} = newCluster ?? {};
  const stateOf = (pod: string): string => {
    if (seeded.includes(pod)) return 'the new cluster\'s data is in place';
    return members.includes(pod) ? `its old data may be set aside already (.quorumrecovery/${id} on its volume), and the new one not in place yet` : 'its old data is as it was, or its volume is kept (Retain); it joins later';
  };
  const all = [...new Set([...members, ...concerned(facts)])].sort();
  const begun = servedAt === undefined ? 'a new cluster was begun with and does not serve yet' : 'the new cluster serves, and what it is to hold is not loaded and checked yet';
  return {
    keep: concerned(facts).map((pod) => ({pod, why: stateOf(pod)})),
    refusals: [`${begun}: no pod may start by hand, nor may what uses etcd come back. Nothing was changed. Start the operator again, which goes on from here by itself. Of each volume: ${all.map((pod) => `${pod}: ${stateOf(pod)}`).join('; ')}`],
  };
}

/** What a release would do, what it asks first, and why it does nothing. */
export function decideRelease(facts: ReleaseFacts, said: Said): Release {
  const stage = stageOf(facts);
  const operator = operatorRefusals(facts, said);
  const none: Release = {stage, refusals: [], questions: [], letGo: [], keep: []};
  const run = facts.resource.status?.run;
  if (stage === 'Nothing' || run === undefined) return none;
  if (stage === 'BeforeForce') {
    const found = beforeForce(facts, said);
    const refusals = [...operator.refusals];
    if (found.letGo.length === 0 && found.keep.length > 0) refusals.push(`no held pod may start: ${found.keep.map(({pod, why}) => `${pod}: ${why}`).join('; ')}. If you are sure of one: --start-empty POD`);
    return {...none, ...found, refusals, questions: operator.questions};
  }
  if (stage === 'NewClusterBegun') return {...none, ...newClusterBegun(facts, run)};
  const anew = run.newCluster !== undefined;
  const joining = 'its data is of the old cluster, or empty; it has to join the new one, which takes an operator';
  const found = anew ? {refusals: [], letGo: [], keep: concerned(facts).map((pod) => ({pod, why: joining}))} : afterForce(facts, run);
  const began = stage === 'Serving'
    ? `${anew ? 'The new cluster' : 'The survivor'} serves, and the others wait for their join. They harm nobody, and are never let go by this command: their data is of the old cluster, or empty.`
    : 'The force may have begun: the survivor\'s disk may hold a cluster of one already. Only the survivor may start; the others stay held.';
  const asks: Question = {text: `${began} Read ${runbook}, parts 4 and 5, first.`, word: 'survivor', option: '--after-force'};
  return {...none, ...found, refusals: [...operator.refusals, ...found.refusals], questions: [...operator.questions, ...(said.afterForce ? [] : [asks])]};
}
