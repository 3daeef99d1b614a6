import {pruneStep} from '../api/progress.ts';
import type {Kept, Run, QuorumRecoverySpec, QuorumRecoveryStatus} from '../api/types.ts';
import {marks} from '../api/types.ts';
import {agentPod} from '../kubernetes/helperPods.ts';
import {agentReport} from '../observe/agentReport.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import type {Action, Transaction} from './decision.ts';
import {durationMs} from './durations.ts';
import {sourceOf} from './steps/common.ts';

/** A prune that failed is tried again after this time, ms: the volume was busy, or its node away. */
const retryMs = 10 * 60_000;

/** Pods on whose volumes a run has left something: all of them once the force has begun, before it those that were snapshotted. */
function keepers({force, newCluster, snapshots = [], steps, replace, joins = []}: Run, all: string[]): string[] {
  // What was built beside the data, or set aside.
  if (force?.podUID !== undefined || newCluster !== undefined) return all;
  if (replace !== undefined) return joins.filter(({guarded}) => guarded === true).map(({pod}) => pod);
  const begun = steps.some(({name, startedAt}) => name === 'Hold' && startedAt !== undefined);
  return begun ? snapshots.map(({pod}) => pod) : [];
}

/** What runs have left on the volumes of the set, with what this one leaves, for as long as the spec says. */
export function keptBy({status, ordinals, spec, now}: Observation): Kept[] {
  const {run} = status;
  const known = snapshotsKept(status, spec, now);
  if (run === undefined) return known;
  const pods = keepers(run, ordinals.map(({pod}) => pod));
  const until = new Date(now + durationMs(spec.preserve.retention)).toISOString();
  // A run that goes on after its end keeps what it had, for as long as from its last end on.
  return [...known, ...ordinals.filter(({pod}) => pods.includes(pod)).flatMap(({pod, data}) => {
    const claimUID = data?.object?.metadata?.uid;
    return claimUID === undefined ? [] : [{run: run.id, pod, claimUID, until}];
  })];
}

/** Snapshots that a run took are kept whether or not it came to change anything: deleting them is nobody's hurry. */
export function snapshotsKept({run, kept = []}: QuorumRecoveryStatus, spec: QuorumRecoverySpec, now: number): Kept[] {
  if (run === undefined) return kept;
  const until = new Date(now + durationMs(spec.preserve.retention)).toISOString();
  return [...kept.filter((one) => one.run !== run.id), ...(run.volumeSnapshots ?? []).map(({pod, claimUID, name, uid}) => ({run: run.id, pod, claimUID, until, volumeSnapshot: {name, uid}}))];
}

export interface Pruning {
  actions: Action[];
  records: Transaction[];
  /** What could not be taken away, in words. */
  problems: string[];
}

const same = (a: Kept, b: Kept) => a.run === b.run && a.pod === b.pod && a.volumeSnapshot?.name === b.volumeSnapshot?.name;

const drop = (gone: Kept): Transaction => (draft) => {
  draft.kept = (draft.kept ?? []).filter((kept) => !same(kept, gone));
};

const later = (busy: Kept, now: number): Transaction => (draft) => {
  draft.kept = (draft.kept ?? []).map((kept) => (same(kept, busy) ? {...kept, until: new Date(now + retryMs).toISOString()} : kept));
};

/** The agent works beside the pod, on its node: the volume is attached there. */
function begin(observation: Observation, view: OrdinalView, {run}: Kept): Action | undefined {
  if (view.object?.spec?.nodeName === undefined || view.probe.kind !== 'Answered') return undefined;
  return {type: 'CreatePod', pod: agentPod({observation, view, source: sourceOf(observation, view), run, step: pruneStep, command: ['prune'], readOnly: false, beside: true})};
}

/** Takes away what is due, a volume at a time in each pod, while no run is in flight. A claim that was made anew has nothing of that run. */
export function prune(observation: Observation): Pruning {
  const todo: Pruning = {actions: [], records: [], problems: []};
  const busy = new Set<string>();
  for (const kept of observation.status.kept ?? []) {
    if (kept.volumeSnapshot !== undefined) {
      if (Date.parse(kept.until) > observation.now) continue;
      // Its claim may be gone, or another one: the snapshot does not need it.
      todo.actions.push({type: 'DeleteVolumeSnapshot', ...kept.volumeSnapshot});
      todo.records.push(drop(kept));
      continue;
    }
    const view = observation.ordinals.find((candidate) => candidate.pod === kept.pod);
    if (view === undefined || view.data?.object?.metadata?.uid !== kept.claimUID) {
      todo.records.push(drop(kept));
      continue;
    }
    const helper = observation.pruners.find((pod) => pod.metadata?.annotations?.[marks.run] === kept.run && pod.metadata.annotations[marks.pod] === kept.pod);
    if (helper === undefined) {
      if (Date.parse(kept.until) > observation.now || busy.has(kept.pod)) continue;
      const action = begin(observation, view, kept);
      if (action) todo.actions.push(action);
      busy.add(kept.pod);
      continue;
    }
    busy.add(kept.pod);
    const report = agentReport(helper);
    if (report === undefined) continue;
    todo.records.push(report.ok ? drop(kept) : later(kept, observation.now));
    if (!report.ok) todo.problems.push(`what run ${kept.run} kept on the volume of ${kept.pod} could not be removed (${report.reason}): ${report.message}`);
    if (helper.metadata?.deletionTimestamp === undefined) todo.actions.push({type: 'DeletePod', pod: helper});
  }
  return todo;
}
