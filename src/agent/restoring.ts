import {lstatSync, readdirSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {abandonAside, block, blockedBy, conclude, isFilled, movedAs, refuseForeign, takeAway, unblock, unfinishedNumber} from './aside.ts';
import {errorCode, Refusal} from './failure.ts';
import {refuseRunningEtcd} from './locks.ts';
import {memberKind} from './place.ts';
import type {DataPlace} from './place.ts';
import type {RestoredFiles, RestoreFacts} from './report.ts';
import {clearStaging, partsOf, stageCopy} from './staging.ts';
import type {Part, StagingOptions} from './staging.ts';
import {statIfThere} from './volume.ts';

/*
 * Puts a run's copy back so that an etcd that starts at any moment finds the old data whole, the copy whole, or the block of aside.ts.
 *   build and check the trees, block, intent, what is there now away (or the guard out), trees in, record, block out, intent out
 * Until the intent stands, a killed run's traces are built anew; from then on each tree is where it was built or where etcd looks for it,
 * and the next start goes on. A directory is known by its inode, which a rename keeps: what somebody else has put there, or taken away,
 * between two starts is refused. The record ends an attempt for good: a late start of it must not throw away what was written since.
 */

interface TreeIdentity {
  ino: number;
  /** The directory with content that stood in its place when the attempt began. */
  instead?: number;
}

/** Whose data is put in, where it was built for a member and not copied: both follow from the list of members that it was built with. */
export interface BuiltFor {
  memberID?: string | undefined;
  clusterID?: string | undefined;
}

interface Progress {
  run: string;
  attempt: number;
  builtFor?: BuiltFor;
  restored: RestoredFiles;
  trees: Partial<Record<Part['what'], TreeIdentity>>;
  /** In the record: number of the set-aside that took away what was there. */
  aside?: number;
  at?: string;
}

const recordName = /^restored-([1-9][0-9]*)$/;

export interface RestoreOptions extends StagingOptions {
  /** Builds the trees where they are renamed from. Default: from the run's copy. */
  stage?: (parts: readonly Part[]) => RestoredFiles;
  now?: () => Date;
  /** Another run's guard is replaced: only where what is put in comes from elsewhere, and is not older than what that run set aside. */
  overGuard?: boolean;
  /** What another member's, or another list's, is built anew instead of finished. */
  builtFor?: BuiltFor;
}

const sameBuilt = (a: BuiltFor | undefined, b: BuiltFor | undefined): boolean => a?.memberID === b?.memberID && a?.clusterID === b?.clusterID;

/** @throws {Refusal} AttemptSuperseded, Conflict, Guarded, DataInUse, and what stageCopy throws */
export function restoreCopy(place: DataPlace, attempt: number, options: RestoreOptions = {}): RestoreFacts {
  const parts = partsOf(place);
  refuseLate(place, attempt);
  const record = readProgress(place, recordPath(place, attempt));
  if (record !== undefined) {
    if (!sameBuilt(record.builtFor, options.builtFor)) {
      throw new Refusal('ClusterMismatch', `Attempt ${attempt} of run ${place.run} put in the data of member ${record.builtFor?.memberID ?? '?'} of cluster ${record.builtFor?.clusterID ?? '?'}, `
        + `and not of member ${options.builtFor?.memberID ?? '?'} of cluster ${options.builtFor?.clusterID ?? '?'}. Nothing was changed. To have that put in, ask for the next --attempt.`);
    }
    requireStanding(place, parts, record);
    tidyAfterRecord(place, parts);
    return factsOf(place, record, true);
  }
  refuseForeignThings(place, parts, options);
  tidyAfterRecord(place, parts);
  const progress = resume(place, parts, attempt, options) ?? begin(place, parts, attempt, options);
  exchange(place, parts);
  return factsOf(place, finish(place, parts, progress, options.now), false);
}

/** A restore that was begun and not ended: the data directory may be blocked, and its trees are needed. */
export function isUnfinished(place: DataPlace): boolean {
  return statIfThere(intentPath(place)) !== undefined;
}

function refuseLate(place: DataPlace, attempt: number): void {
  const names = statIfThere(place.runDirectory) === undefined ? [] : readdirSync(place.runDirectory);
  const begun = readProgress(place, intentPath(place))?.attempt ?? 0;
  const latest = Math.max(begun, ...names.map((name) => Number(recordName.exec(name)?.[1] ?? 0)));
  if (latest > attempt) {
    throw new Refusal('AttemptSuperseded', `Attempt ${latest} of putting the copy of run ${place.run} back was begun already: attempt ${attempt} is too late.`);
  }
}

/** Only then is it true that it was restored. */
function requireStanding(place: DataPlace, parts: readonly Part[], {attempt, trees, at}: Progress): void {
  const gone = parts.find(({what, target}) => statIfThere(target)?.ino !== trees[what]?.ino);
  if (gone !== undefined) {
    throw new Refusal('Conflict', `Attempt ${attempt} put the copy of run ${place.run} back (${at ?? ''}), and ${gone.target} is not that directory any more: `
      + 'the data was exchanged since. Nothing was changed. To set aside what is there now, and put the copy back once more, ask for the next --attempt.');
  }
}

/** @throws {Refusal} Conflict, Guarded, BadUsage for what stands in the data's place and is not this run's to move */
export function refuseForeignThings(place: DataPlace, parts: readonly Part[], {overGuard = false}: Pick<RestoreOptions, 'overGuard'> = {}): void {
  const member = memberKind(place);
  refuseForeign(member);
  if (member.kind === 'guard' && member.run !== place.run && !overGuard) {
    throw new Refusal('Guarded', `${place.member} is the guard file of run ${member.run}, not of run ${place.run}: what that run set aside is newer. Nothing was changed.`);
  }
  const blocking = blockedBy(place);
  if (blocking !== undefined && blocking !== place.run) {
    throw new Refusal('Conflict', `Run ${blocking} was interrupted while it moved the data in ${place.dataDirectory}: let it end first. Nothing was changed.`);
  }
  const {path, separate} = place.wal;
  if (separate && statIfThere(path)?.isDirectory() === false) {
    throw new Refusal('Conflict', `${path} is not a directory. Nothing was changed; a person has to say what it is.`);
  }
  for (const {root, target} of parts) {
    if (nearest(target).dev !== nearest(root).dev) {
      throw new Refusal('BadUsage', `${target} is not on the volume that was named as its root: nothing can be renamed between them.`);
    }
  }
}

/** Stats of a path, or of the lowest directory above it that is there. */
function nearest(path: string): {dev: number} {
  return statIfThere(path) ?? nearest(dirname(path));
}

function begin(place: DataPlace, parts: readonly Part[], attempt: number, options: RestoreOptions): Progress {
  const restored = options.stage === undefined ? stageCopy(place, parts, options) : options.stage(parts);
  const blocked = blockedBy(place) !== undefined;
  block(place);
  try {
    // Building can take minutes; from the block on no etcd starts.
    refuseRunningEtcd(place);
  } catch (error) {
    if (!blocked) {
      unblock(place);
    }
    clearStaging(place, parts);
    throw error;
  }
  const progress: Progress = {run: place.run, attempt, ...(options.builtFor !== undefined && {builtFor: options.builtFor}), restored, trees: {}};
  for (const {what, staged, target} of parts) {
    progress.trees[what] = {ino: lstatSync(staged).ino, ...(isFilled(target) ? {instead: lstatSync(target).ino} : {})};
  }
  place.durable.writeFile(intentPath(place), `${JSON.stringify(progress)}\n`);
  return progress;
}

/** What an earlier start built, if all of it is where it belongs and is what is wanted now. A new attempt may begin anew instead. */
function resume(place: DataPlace, parts: readonly Part[], attempt: number, {builtFor}: RestoreOptions): Progress | undefined {
  const intent = readProgress(place, intentPath(place));
  if (intent === undefined) {
    return undefined;
  }
  if (!sameBuilt(intent.builtFor, builtFor)) {
    // Built with another list of members: an etcd that started on it would be of another cluster than all others.
    abandonAside(place);
    return undefined;
  }
  const strange = parts.find((part) => !isWhereItBelongs(part, intent.trees[part.what]));
  if (strange === undefined) {
    const progress: Progress = {...intent, attempt};
    place.durable.writeFile(intentPath(place), `${JSON.stringify(progress)}\n`);
    return progress;
  }
  if (intent.attempt === attempt) {
    throw new Refusal('Conflict', `Attempt ${attempt} of putting the copy of run ${place.run} back was interrupted, and ${strange.target} was changed since. `
      + 'Nothing was changed now. To set aside what is there, and put the copy back, ask for the next --attempt.');
  }
  abandonAside(place);
  return undefined;
}

function isWhereItBelongs({staged, target}: Part, tree: TreeIdentity | undefined): boolean {
  if (statIfThere(staged) === undefined) {
    return tree !== undefined && inode(target) === tree.ino;
  }
  return inode(staged) === tree?.ino && (!isFilled(target) || inode(target) === tree?.instead);
}

/** Every step is skipped where its result stands already. */
function exchange(place: DataPlace, parts: readonly Part[]): void {
  const todo = parts.filter(({staged}) => statIfThere(staged) !== undefined);
  const data = todo.find(({what}) => what === 'data');
  const wal = todo.find(({what}) => what === 'wal');
  block(place);
  takeAway(place, {data: data !== undefined && memberKind(place).kind === 'directory', wal: wal !== undefined && isFilled(wal.target)});
  if (data !== undefined && memberKind(place).kind === 'guard') {
    place.durable.remove(place.member);
  }
  for (const part of todo) {
    putIn(place, part);
  }
}

function putIn(place: DataPlace, {staged, target}: Part): void {
  place.durable.makeDirectory(dirname(target));
  try {
    place.durable.rename(staged, target);
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errorCode(error) ?? '')) {
      throw new Refusal('DataInUse', `${target} was made anew while the old one was set aside: an etcd is running on this volume.`);
    }
    throw error;
  }
}

function finish(place: DataPlace, parts: readonly Part[], progress: Progress, now: () => Date = () => new Date()): Progress {
  const aside = unfinishedNumber(place);
  const record: Progress = {...progress, ...(aside === undefined ? {} : {aside}), at: now().toISOString()};
  place.durable.writeFile(recordPath(place, progress.attempt), `${JSON.stringify(record)}\n`);
  tidy(place, parts);
  return record;
}

/** An attempt whose record stands is over, although it was killed before it had tidied up. */
function tidyAfterRecord(place: DataPlace, parts: readonly Part[]): void {
  const intent = readProgress(place, intentPath(place));
  if (intent !== undefined && readProgress(place, recordPath(place, intent.attempt)) !== undefined) {
    tidy(place, parts);
  }
}

/** The intent goes last: as long as it stands, another start comes here again. */
function tidy(place: DataPlace, parts: readonly Part[]): void {
  conclude(place);
  clearStaging(place, parts);
  place.durable.remove(intentPath(place));
}

function factsOf(place: DataPlace, {attempt, restored, aside}: Progress, already: boolean): RestoreFacts {
  return {
    attempt,
    restored: place.wal.separate ? ['data', 'wal'] : ['data'],
    ...restored,
    ...(already ? {reflinked: 0} : {}),
    moved: aside === undefined ? [] : movedAs(place, aside),
    already,
  };
}

/** @throws {Refusal} Conflict for a file that cannot be read: what it says decides whether data that was written since is moved away */
function readProgress(place: DataPlace, path: string): Progress | undefined {
  if (statIfThere(path) === undefined) {
    return undefined;
  }
  const progress = parse(readFileSync(path, 'utf8'));
  if (progress === undefined || progress.run !== place.run) {
    throw new Refusal('Conflict', `${path} is not what this operator wrote. Nothing was changed; a person has to say what happened here.`);
  }
  return progress;
}

function parse(text: string): Progress | undefined {
  try {
    const value = JSON.parse(text) as Partial<Progress>;
    const {attempt, restored, trees} = value;
    return attempt !== undefined && restored !== undefined && trees !== undefined ? (value as Progress) : undefined;
  } catch {
    return undefined;
  }
}

function inode(path: string): number | undefined {
  return statIfThere(path)?.ino;
}

function intentPath(place: DataPlace): string {
  return join(place.runDirectory, 'restore-intent.json');
}

function recordPath(place: DataPlace, attempt: number): string {
  return join(place.runDirectory, `restored-${attempt}`);
}
