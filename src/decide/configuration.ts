import type {Plan, Run} from '../api/types.ts';
import type {ConfigurationView} from '../observe/configuration.ts';
import type {Observation} from '../observe/observation.ts';
import type {Decision} from './decision.ts';
import {blocked, wait} from './decision.ts';
import {sha256} from './plans/plan.ts';
import {sourceRefusal} from './plans/rebuildSources.ts';
import {isCommitted} from './steps/committed.ts';

type Checked = NonNullable<Plan['configuration']>[number];

const asksChecks = ({spec}: Observation): boolean => spec.configuration !== undefined;

/** A pod by its name, or by its DNS name as far as that is written out. */
function isPod(host: string, pod: string, service: string, namespace: string): boolean {
  if (host === pod || host === `${pod}.${service}` || host === `${pod}.${service}.${namespace}`) return true;
  const full = `${pod}.${service}.${namespace}.svc`;
  return host === full || host.startsWith(`${full}.`);
}

/** How many hosts a message names that do not belong there. */
const mostNamed = 5;

/** What is wrong with a list of members, against the pods that the cluster has afterwards: those of the StatefulSet. */
function unlikeMembers({set, resource, ordinals, spec}: Observation, {hosts = [], secret}: ConfigurationView): string | undefined {
  const namespace = resource.metadata.namespace ?? 'default';
  const service = set?.spec?.serviceName ?? '';
  const is = (host: string, pod: string) => isPod(host, pod, service, namespace);
  const missing = ordinals.map(({pod}) => pod).filter((pod) => !hosts.some((host) => is(host, pod)));
  const foreign = hosts.filter((host) => !ordinals.some(({pod}) => is(host, pod)));
  const named = secret ? `${foreign.length} host${foreign.length === 1 ? '' : 's'}` : `${foreign.slice(0, mostNamed).join(', ')}${foreign.length > mostNamed ? ` and ${foreign.length - mostNamed} more` : ''}`;
  const words = [
    ...(missing.length > 0 ? [`does not name ${missing.join(', ')}`] : []),
    ...(foreign.length > 0 ? [`names ${named}, no pod${foreign.length === 1 ? '' : 's'} of StatefulSet ${spec.target.statefulSet}`] : []),
  ];
  return words.length === 0 ? undefined : words.join('; ');
}

function judge(observation: Observation, view: ConfigurationView): Checked {
  const {name, source, ignore, hosts} = view;
  const problem = view.problem ?? (hosts === undefined ? undefined : unlikeMembers(observation, view));
  if (problem !== undefined) return {name, source, state: ignore ? 'Ignored' : 'Inconsistent', message: problem};
  return {name, source, state: 'Consistent', message: hosts === undefined ? 'is there and reads well' : `names ${observation.ordinals.map(({pod}) => pod).join(', ')}`};
}

const inWords = ({name, source, message}: Checked) => `${name} (${source}): ${message}`;

/** Why the run does not go on; undefined: every check holds, or is ignored. `where`: what is held meanwhile. */
function refusal(observation: Observation, where: string): Decision | undefined {
  const sources = observation.status.run?.plan?.strategy === 'RebuildFromConfig' ? sourceRefusal(observation, where) : undefined;
  if (sources) return sources;
  if (!asksChecks(observation)) return undefined;
  if (observation.configuration === undefined) return wait('looking at what spec.configuration.checks names', 10);
  const wrong = observation.configuration.map((view) => judge(observation, view)).filter(({state}) => state === 'Inconsistent');
  if (wrong.length === 0) return undefined;
  return blocked('ConfigurationInconsistent', `${wrong.map(inWords).join('; ')}. Correct it, and the run goes on by itself; or set ignore: true on the check in spec.configuration.checks, and it goes on all the same. ${where}`);
}

export type Proposed<P> = {proposal: P} | {refusal: Decision};

/** What the checks found goes into the plan. What is inconsistent and ignored is a thing that a person approves. */
export function withConfiguration<P extends {plan: Plan}>(observation: Observation, proposed: Proposed<P>): Proposed<P> {
  if ('refusal' in proposed || !asksChecks(observation)) return proposed;
  const refused = refusal(observation, 'Nothing was touched');
  if (refused) return {refusal: refused};
  const configuration = (observation.configuration ?? []).map((view) => judge(observation, view));
  const ignored = configuration.filter(({state}) => state === 'Ignored').map(({name, message}) => ({name, message}));
  const {plan} = proposed.proposal;
  return {proposal: {...proposed.proposal, plan: {...plan, configuration, ...(ignored.length > 0 && {hash: sha256({hash: plan.hash, ignored})})}}};
}

/** Nothing of the cluster was touched yet. */
const isUntouched = ({heldPods = []}: Observation['status'], {dependents, restarted, heldBefore = []}: Run): boolean =>
  dependents === undefined && restarted === undefined && heldPods.every((pod) => heldBefore.includes(pod));

/** The steps that touch first, and those that nothing takes back. */
const touching = ['StopDependents', 'Hold', 'Restart'];
const surgery = ['Force', 'Remove', 'Restore', 'StartEmpty'];

/** Whether this decision is the surgery itself. What comes before it in its step changes no data. */
const operates = (step: string, decision: Decision): boolean =>
  (step === 'Force' ? decision.kind === 'act' && decision.actions.some(({type}) => type === 'GiveTurn') : decision.kind === 'act' || decision.kind === 'record' || decision.kind === 'done');

/** The checks once more, before the first thing is touched and right before the surgery: a configuration may have changed since the plan. */
export function againstConfiguration(observation: Observation, step: string, decision: Decision): Decision {
  const {run} = observation.status;
  if (run === undefined || !operates(step, decision)) return decision;
  if (touching.includes(step) && isUntouched(observation.status, run)) return refusal(observation, 'Nothing was touched') ?? decision;
  if (surgery.includes(step) && !isCommitted(observation)) return refusal(observation, 'No data was changed, and every name that the run holds stays held') ?? decision;
  return decision;
}
