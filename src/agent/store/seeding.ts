import {join} from 'node:path';
import {parseArguments} from '../arguments.ts';
import type {Arguments} from '../arguments.ts';
import {clearedPlace, requireRoom} from '../commands/seed.ts';
import {freeBytes} from '../facts.ts';
import {Refusal} from '../failure.ts';
import {locate, ownDirectory} from '../place.ts';
import {snapshotName} from '../report.ts';
import type {PrepareSeedReport} from '../report.ts';
import {failed} from '../run.ts';
import type {OnStep, Outcome} from '../run.ts';
import type {StoreArguments} from './arguments.ts';
import {ClaimStore} from './claim.ts';
import {storeFetch} from './fetch.ts';
import {requireUnchanged, verifyInPlace} from './inPlace.ts';
import type {Clock} from './inPlace.ts';
import {openStore} from './open.ts';
import type {SnapshotStore} from './store.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface SeedingOptions {
  onStep?: OnStep;
  free?: (path: string) => number;
  clock?: Clock;
}

/** As `store-fetch` is told: whose snapshot it is was settled with the plan, which named it. */
const fetching = ({run, root, name, expectSHA256}: Arguments): StoreArguments => ({
  command: 'store-fetch', run, root, to: join(root, ownDirectory, run, snapshotName), expectMembers: [], discard: false,
  ...(name !== undefined && {name}), ...(expectSHA256 !== undefined && {expectSHA256}),
});

function onClaim(store: SnapshotStore): ClaimStore {
  if (!(store instanceof ClaimStore)) throw new Refusal('BadUsage', `A snapshot can be read in place on a claim only, and not in ${store.where}.`);
  return store;
}

/**
 * Before etcdutl builds a member's data from a snapshot in a store: an empty place to build in, room for all that is to come, and then the snapshot:
 * on the volume, or with --in-place verified where it is. The data of the member is not touched.
 * @throws {Refusal} NoSpace, NoSnapshot, what is wrong with the snapshot, StoreUnreachable, StoreRefused, DataInUse, Conflict, UnsafePath
 */
export async function prepareStored(args: Arguments, store: SnapshotStore, {onStep, free = freeBytes, clock}: SeedingOptions = {}): Promise<PrepareSeedReport> {
  const place = clearedPlace(args, onStep);
  const head = {ok: true, command: 'prepare-seed', run: args.run} as const;
  if (args.inPlace) {
    requireRoom(place, args, free(place.root));
    return {...head, verified: await verifyInPlace(place.runDirectory, fetching(args), onClaim(store), clock)};
  }
  // What an earlier start has left half fetched goes before the room is asked for.
  const {snapshot: {bytes, sha256}, path = '', already} = await storeFetch(fetching(args), store, {now: Date.now, beside: args.needs ?? 0, free, ...(onStep && {onStep})});
  if (already) requireRoom(place, args, free(place.root));
  return {...head, snapshot: {path, bytes, sha256, already}};
}

/** `prepare-seed --name`, to its report; it does not throw. */
export async function runPrepareSeed(argv: readonly string[], env: Environment): Promise<Outcome> {
  try {
    return {report: await prepareStored(parseArguments(argv), await openStore(env)), exitCode: 0};
  } catch (error) {
    return failed(argv, error);
  }
}

/** `seed --in-place`, before its turn: the refusal where etcdutl may have read another file than the one that was verified. */
export async function changedSince(argv: readonly string[], env: Environment): Promise<Outcome | undefined> {
  try {
    const args = parseArguments(argv);
    requireUnchanged(locate(args).runDirectory, args.name ?? '', onClaim(await openStore(env)));
    return undefined;
  } catch (error) {
    return failed(argv, error);
  }
}
