import type {Arguments} from '../arguments.ts';
import {adoptBuilt, clearBuilt} from '../built.ts';
import {freeBytes} from '../facts.ts';
import {Refusal} from '../failure.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {requireDatabase, takeDatabase} from '../ownDatabase.ts';
import {locateData} from '../place.ts';
import type {DataPlace} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {PrepareSeedReport, RestoredFiles, SeedReport} from '../report.ts';
import {refuseForeignThings, restoreCopy} from '../restoring.ts';
import {partsOf} from '../staging.ts';
import type {Part} from '../staging.ts';

/**
 * An empty place to build a member's data in, beside the data that is there, which is not touched.
 * @throws {Refusal} DataInUse, Conflict, UnsafePath
 */
export function clearedPlace(args: Arguments, onStep?: OnStep): DataPlace {
  const place = locateData(args, onStep);
  refuseRunningEtcd(place);
  // What the exchange would refuse is refused now, while all can still be let go.
  refuseForeignThings(place, partsOf(place), {overGuard: true});
  clearBuilt(place, partsOf(place));
  return place;
}

/** @throws {Refusal} NoSpace */
export function requireRoom({root}: DataPlace, {needs = 0}: Pick<Arguments, 'needs'>, free = freeBytes(root)): void {
  if (free < needs) {
    throw new Refusal('NoSpace', `the volume has ${free} bytes free, and the data of the member takes ${needs}: enlarge the volume, or remove old data that was set aside on it (.quorumrecovery). Nothing was changed`, {neededBytes: needs, freeBytes: free});
  }
}

/**
 * Before etcdutl builds a member's data from a snapshot: an empty place to build in, and room for it. With --database the snapshot is made here
 * too, of the member's own database. One in a store: store/seeding.ts.
 */
export function prepareSeed(args: Arguments, onStep?: OnStep): PrepareSeedReport {
  const place = clearedPlace(args, onStep);
  requireRoom(place, args);
  const snapshot = takeDatabase(place, args);
  return {ok: true, command: 'prepare-seed', run: args.run, ...(snapshot && {snapshot})};
}

/**
 * Sets aside what is there, and puts what etcdutl has built in its place: restoring.ts, with the trees from there instead of from a copy. An
 * earlier run's guard goes as it does when a member joins: a person approved that a snapshot takes the place of all data.
 */
export function seed(args: Arguments, onStep?: OnStep): SeedReport {
  const place = locateData(args, onStep);
  refuseRunningEtcd(place);
  const stage = (parts: readonly Part[]): RestoredFiles => {
    // Once more: what is set aside now has to be what the snapshot was made of.
    requireDatabase(place, args);
    return adoptBuilt(place, parts, args);
  };
  const facts = restoreCopy(place, args.attempt ?? 1, {overGuard: true, builtFor: {memberID: args.expectMember, clusterID: args.expectCluster}, stage});
  return {ok: true, command: 'seed', run: args.run, ...facts};
}
