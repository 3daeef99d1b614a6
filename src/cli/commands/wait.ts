import type {QuorumRecovery} from '../../api/types.ts';
import {durationOf} from '../arguments.ts';
import {CommandError, exit} from '../failure.ts';
import {explain} from '../explain.ts';
import {isUnavailable} from '../../kubernetes/errors.ts';
import {phaseOf} from '../render/status.ts';
import {duration} from '../render/text.ts';
import {conditionOf, isCurrent, nameOf, namespaceOf, theResource} from '../resources.ts';
import {readable} from '../render/paint.ts';
import type {Invocation, Session, World} from '../world.ts';
import {flag, text} from '../world.ts';

const lookMs = 500;

type Outcome = NonNullable<NonNullable<NonNullable<QuorumRecovery['status']>['run']>['outcome']>;

const codes: Record<Outcome, number> = {
  Recovered: exit.ok, NotNeeded: exit.ok, Degraded: exit.degraded, Released: exit.released, Failed: exit.failed,
};

/** The last run answers the last request. A pause leaves the run that it has ended open, and that is an answer too. */
const isAnswered = ({spec, status}: QuorumRecovery) => status?.run?.finishedAt !== undefined && status.run.request === spec.trigger.request;

/** The exit code of a run that is over, or of one that waits for a person; undefined: it goes on. */
export function outcomeOf(resource: QuorumRecovery, stop: boolean): number | undefined {
  if (!isCurrent(resource)) return undefined;
  if (stop && conditionOf(resource, 'Ready')?.reason === 'AwaitingApproval') return exit.awaitingApproval;
  if (stop && conditionOf(resource, 'Stalled')?.status === 'True') return exit.blocked;
  const outcome = resource.status?.run?.outcome;
  if (!isAnswered(resource) || outcome === undefined) return undefined;
  // An outcome that this version does not know is none that it can call good.
  return Object.hasOwn(codes, outcome) ? codes[outcome] : exit.failed;
}

function line(resource: QuorumRecovery): string {
  const ready = conditionOf(resource, 'Ready');
  const progress = resource.status?.run?.progress;
  return `${phaseOf(resource)}${progress === undefined || progress === '' ? '' : ` ${progress}`}  ${ready === undefined ? 'the operator has not looked at it yet' : ready.message}`;
}

/** Prints what changes until the run of the newest request is over. */
export const follow = async (first: QuorumRecovery, session: Session, world: World, {timeoutMs, stop}: {timeoutMs?: number | undefined; stop: boolean}): Promise<number> =>
  await lookUntil(first, session, world, {timeoutMs, line, codeOf: (resource) => outcomeOf(resource, stop)});

/** What a command waits for: the line that tells where it stands, and the exit code once it is over. */
interface Awaited {
  timeoutMs?: number | undefined;
  line: (resource: QuorumRecovery) => string;
  codeOf: (resource: QuorumRecovery) => number | undefined;
}

/** Looks again and again, and prints what changes, until `codeOf` has an exit code. */
export async function lookUntil(first: QuorumRecovery, session: Session, world: World, {timeoutMs, line, codeOf}: Awaited): Promise<number> {
  const {terminal} = world;
  const begin = world.now();
  let resource = first;
  let said = '';
  let trouble = '';
  for (;;) {
    const now = isCurrent(resource) ? line(resource) : 'waiting for the operator to look at the newest spec';
    if (now !== said) terminal.out(`${terminal.paint.dim(duration(world.now() - begin).padStart(7))}  ${now}`);
    said = now;
    const code = codeOf(resource);
    if (code !== undefined) return code;
    if (timeoutMs !== undefined && world.now() - begin >= timeoutMs) {
      throw new CommandError(`${nameOf(resource)} was not done within ${duration(timeoutMs)}. It goes on by itself: ${line(resource)}`, exit.timedOut);
    }
    await world.sleep(lookMs);
    try {
      const found = await session.api.get('QuorumRecovery', namespaceOf(first), nameOf(first));
      if (found === undefined) throw new CommandError(`QuorumRecovery ${nameOf(first)} is gone: somebody deleted it`, exit.released);
      resource = readable(found);
      trouble = '';
    } catch (error) {
      // The API server may be away in the very disaster: the run goes on, and so does the wait.
      if (!isUnavailable(error)) throw error;
      const problem = explain(error).split('\n')[0] ?? '';
      if (problem !== trouble) terminal.err(problem);
      trouble = problem;
    }
  }
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const session = await world.session();
  const timeout = text(invocation, 'timeout');
  return await follow(await theResource(invocation, session), session, world, {
    timeoutMs: timeout === undefined ? undefined : durationOf('timeout', timeout), stop: flag(invocation, 'stop'),
  });
}
