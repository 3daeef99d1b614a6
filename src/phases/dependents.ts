import type {Outcome} from '../decide/decision.ts';
import {recordDependent} from '../decide/steps/dependents.ts';
import type {DependentView} from '../kubernetes/dependents.ts';
import {daemonSetPatch, nameOfDependent} from '../kubernetes/dependents.ts';
import {isAnswered, isConflict, isNotFound} from '../kubernetes/errors.ts';
import type {Acting} from './context.ts';
import {again, finished, refused} from './context.ts';

/** Changes the count of this very object as it was looked at, or the one key of a DaemonSet's node selector. */
async function write({client, observation}: Acting, {kind, name, object}: DependentView, to: {replicas: number} | {run: string | null}, dryRun: boolean): Promise<void> {
  const namespace = observation.resource.metadata.namespace ?? 'default';
  const {uid, resourceVersion} = object?.metadata ?? {};
  // A trial asks for the right alone. It was looked at seconds ago, and its status may change all the time.
  const metadata = dryRun ? {uid} : {uid, resourceVersion};
  const options = dryRun ? {dryRun} : {};
  if (kind === 'StatefulSet' && name === observation.spec.target.statefulSet) throw new TypeError(`${name} runs etcd: it is never changed`);
  if (kind === 'DaemonSet') await client.patch('DaemonSet', namespace, name, {metadata, ...daemonSetPatch('run' in to ? to.run : null)}, options);
  else await client.patch(`${kind}/scale`, namespace, name, {metadata, spec: {replicas: 'replicas' in to ? to.replicas : 0}}, options);
}

const stopping = ({observation}: Acting, {kind}: DependentView) => (kind === 'DaemonSet' ? {run: observation.status.run?.id ?? ''} : {replicas: 0});

/** Whoever wrote it meanwhile may have changed its count: it is looked at again. */
async function unlessChanged(dependent: DependentView, act: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await act();
  } catch (error) {
    if (isConflict(error)) return again(`${nameOfDependent(dependent)} was changed meanwhile`, 100);
    if (isNotFound(error)) return again(`${nameOfDependent(dependent)} has gone meanwhile`, 100);
    // Whatever else it answers: a webhook that is down makes a 500 of it, and the run has other things to do than to wait for that.
    if (isAnswered(error)) {
      const {message} = error;
      return {kind: 'retry', why: `the API server refuses to change ${nameOfDependent(dependent)}: ${message}`, ms: 1_000, record: recordDependent(dependent, {refused: message})};
    }
    throw error;
  }
}

/** Stops each of them as a dry run. */
export async function tryDependents(acting: Acting, dependents: readonly DependentView[]): Promise<Outcome> {
  for (const dependent of dependents) {
    try {
      await write(acting, dependent, stopping(acting, dependent), true);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return again(`${nameOfDependent(dependent)} was changed meanwhile`, 100);
      if (!isAnswered(error)) throw error;
      return refused('DependentRefused', `spec.dependents names ${nameOfDependent(dependent)}, and the API server does not let it be stopped (tried as a dry run): ${error.message}. Give the operator's ClusterRole the rights of the chart, mend the policy or the webhook, or take it out of spec.dependents. Nothing was touched`);
    }
  }
  return finished();
}

/** Its count, or what tells it apart, stands in the status already. */
export async function stopDependent(acting: Acting, dependent: DependentView): Promise<Outcome> {
  return await unlessChanged(dependent, async () => {
    await write(acting, dependent, stopping(acting, dependent), false);
    return finished(undefined, recordDependent(dependent, {state: 'Stopped'}));
  });
}

export async function returnDependent(acting: Acting, dependent: DependentView, replicas: number | undefined): Promise<Outcome> {
  return await unlessChanged(dependent, async () => {
    await write(acting, dependent, replicas === undefined ? {run: null} : {replicas}, false);
    return finished(undefined, recordDependent(dependent, {state: 'Returned', returnedAt: new Date(acting.now()).toISOString()}));
  });
}
