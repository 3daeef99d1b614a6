import type {V1Pod} from '@kubernetes/client-node';
import {backupStep, pruneStep} from '../../src/api/progress.ts';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import type {Kind, Verb} from '../../src/kubernetes/kinds.ts';
import {intendedFor} from './dependents.ts';
import type {World} from './world.ts';

export interface Write {
  verb: Verb | 'etcd';
  kind: Kind | 'etcd';
  name: string;
  object?: V1Pod | undefined;
  detail?: string;
}

const nameOf = ({verb, kind, name}: Write) => `${verb} ${kind} ${name}`;

/** Steps in which a change may happen; undefined: in any. */
function stepsFor({verb, kind, name, object}: Write, {run}: QuorumRecoveryStatus): string[] | undefined {
  if (kind === 'etcd') return undefined;
  const helper = object?.metadata?.annotations?.[marks.step];
  const joins = [...run?.steps ?? []].map((step) => step.name).filter((step) => step.startsWith('Join '));
  if (kind !== 'Pod') return ['Restore', 'StartEmpty', 'EndForce', 'StartSurvivor', 'Decommission', ...joins];
  switch (helper) {
    case 'Force': return ['Stop', 'Force', 'EndForce', 'StartSurvivor', 'Release', 'LetGo'];
    case 'InspectPlanning': return ['Plan', 'Release', 'LetGo'];
    case 'InspectHeld': return ['Inspect', ...joins, 'Release', 'LetGo'];
    case 'ReadDumps': return ['Plan', 'Release', 'LetGo'];
    case 'Dump': return ['Load', 'Check', 'Release'];
    case 'ReadStore': return ['Plan', 'Release', 'LetGo'];
    case 'Restore': return ['Restore', 'StartAll', 'Release', 'LetGo'];
    case 'Decommission': return ['Decommission', 'Release'];
    case 'ReadCopy': return ['Decommission', ...joins, 'ReturnDependents', 'RestartProof', 'Verify', 'Release'];
    case 'Snapshot': return ['Hold', 'Stop', 'Release', 'LetGo'];
    case undefined: default: break;
  }
  if (verb === 'create') return object?.metadata?.annotations?.[marks.cluster] === undefined ? undefined : ['StartEmpty', 'EndForce', 'StartSurvivor', 'Decommission', ...joins];
  const survivors = name === run?.plan?.survivor ? ['Force', 'EndForce'] : ['EndForce'];
  return ['Stop', 'Restart', 'Remove', 'StartAll', 'StartEmpty', ...survivors, 'StartSurvivor', 'Decommission', 'RestartProof', 'LetGo', ...joins];
}

/** A pod of the set is only touched when its name is held, when it serves already, or when it is let go. */
function heldFirst({verb, name, object}: Write, {run, heldPods = []}: QuorumRecoveryStatus): string | undefined {
  if (object?.metadata?.annotations?.[marks.step] !== undefined || run?.aborted !== undefined) return undefined;
  if (verb === 'delete' && !heldPods.includes(name) && run?.restart?.pod !== name && run?.restarted?.some(({pod}) => pod === name) !== true) return `pod ${name} is deleted and its name is not held`;
  return undefined;
}

/** Leadership is moved with no run in flight, as the status says, and to a voter that has nearly everything. */
function leadershipIntent({etcd}: World, {leadership, run, heldPods = []}: QuorumRecoveryStatus, write: Write): string | undefined {
  const move = leadership?.move;
  if (move === undefined || move.movedAt !== undefined || move.failed !== undefined) return `${nameOf(write)}: leadership is moved, and the status does not say so`;
  if ((run !== undefined && run.finishedAt === undefined) || heldPods.length > 0) return `${nameOf(write)}: leadership is moved while a run is in flight`;
  const next = [...etcd.processes].find(({ordinal, helper}) => ordinal === move.to && !helper);
  const own = next?.data.members.find(({id}) => id === next.data.memberID);
  return own?.isLearner === true ? `${nameOf(write)}: leadership is to go to ${move.to}, a learner` : undefined;
}

/** What is to be taken away stands in the status until it is. */
function pruneIntent({kept = []}: QuorumRecoveryStatus, write: Write): string | undefined {
  const mark = (name: string) => write.object?.metadata?.annotations?.[name];
  const due = write.verb !== 'create' || kept.some(({run, pod}) => run === mark(marks.run) && pod === mark(marks.pod));
  return due ? undefined : `${nameOf(write)}, and nothing of ${mark(marks.run) ?? ''} is kept by the status`;
}

/** A pod that saves stands in the status before it is made, and what came of it before it goes. */
function backupIntent({backups}: QuorumRecoveryStatus, write: Write): string | undefined {
  const isCurrent = backups?.current?.helper === write.name;
  if (write.verb === 'create') return isCurrent ? undefined : `${nameOf(write)}, and the status takes no snapshot with it`;
  return isCurrent ? `${nameOf(write)}, and what came of it does not stand in the status` : undefined;
}

/** Invariant 1: what is missing in the stored status for a change that is about to be made; undefined: its intent is there. */
export function missingIntent(world: World, status: QuorumRecoveryStatus, write: Write): string | undefined {
  if (write.kind === 'QuorumRecovery') return undefined;
  const {run} = status;
  if (write.detail === 'moveLeader') return leadershipIntent(world, status, write);
  const what = nameOf(write);
  const mark = (name: string) => write.object?.metadata?.annotations?.[name];
  if (mark(marks.step) === backupStep) return backupIntent(status, write);
  // What a dead operator's call made after the end of its run, or of the run of a resource that is gone, is taken away: nothing is intended with it.
  if (run?.finishedAt !== undefined && mark(marks.step) !== undefined && mark(marks.step) !== pruneStep && write.verb !== 'create') return undefined;
  if (mark(marks.step) === pruneStep) return pruneIntent(status, write);
  if (run === undefined || run.finishedAt !== undefined) return `${what} with no run in flight in the status`;
  if (write.kind === 'Deployment/scale' || write.kind === 'DaemonSet') return intendedFor(status, write.kind, write.name);
  const running = run.steps.filter((step) => step.state === 'Running' || step.state === 'Deferred').map((step) => step.name);
  if (run.aborted === undefined && running.length === 0) return `${what}, but no step of ${run.id} is running in the status`;
  const allowed = stepsFor(write, status);
  const steps = run.aborted ? [...running, 'LetGo'] : running;
  if (allowed !== undefined && !allowed.some((name) => steps.includes(name))) return `${what} in step ${running.join(', ')}; it belongs to ${allowed.join(', ')}`;
  if (write.verb === 'delete' && write.kind === 'PersistentVolumeClaim') {
    const uids = (run.joins ?? []).flatMap((join) => join.replacedClaims ?? []);
    const uid = world.store.get('PersistentVolumeClaim', 'db', write.name)?.metadata?.uid ?? '';
    if (!uids.includes(uid)) return `claim ${write.name} is deleted and its UID is not in the status`;
  }
  return write.kind === 'Pod' && write.verb !== 'create' ? heldFirst(write, status) : undefined;
}
