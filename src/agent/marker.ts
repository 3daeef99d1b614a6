import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {isSpaceError, Refusal} from './failure.ts';
import type {Place} from './place.ts';
import type {SpendFacts} from './report.ts';
import {statIfThere} from './volume.ts';

interface Marker {
  run: string;
  attempt: number;
  pod: string;
  at: string;
}

const markerName = /^force-([1-9][0-9]*)$/;

/**
 * Spends the one-use marker of an attempt for one pod. A late pod of an earlier attempt, a second pod of the same attempt and anything
 * after the seal are refused, so that a deposed operator's force never meets a cluster that already goes on.
 * @throws {Refusal} RunSealed, AttemptSuperseded, MarkerSpent
 */
export function spendMarker(place: Place, attempt: number, pod: string, now: () => Date = () => new Date()): SpendFacts {
  refuseLate(place, attempt);
  const path = join(place.runDirectory, `force-${attempt}`);
  const marker: Marker = {run: place.run, attempt, pod, at: now().toISOString()};
  place.durable.makeDirectory(place.runDirectory);
  const temporary = join(place.runDirectory, `.force-${attempt}-${pod}.tmp`);
  const created = place.durable.createFile(path, `${JSON.stringify(marker)}\n`, temporary);
  // Another process may have sealed the run, or begun a later attempt, between the first look and the file.
  refuseLate(place, attempt);
  const spent = created ? pod : readPod(path);
  if (spent !== pod) {
    throw new Refusal('MarkerSpent', `Attempt ${attempt} of run ${place.run} was spent by ${spent === undefined ? 'another pod' : `pod ${spent}`}: `
      + 'this pod must not start etcd with the force flag. The operator begins a new attempt if one is needed.');
  }
  return {attempt, pod, already: !created};
}

/** Forbids every further force of this run. False if it was sealed already. */
export function sealRun(place: Place, now: () => Date = () => new Date()): boolean {
  place.durable.makeDirectory(place.runDirectory);
  const content = `${JSON.stringify({run: place.run, at: now().toISOString()})}\n`;
  const temporary = join(place.runDirectory, '.sealed.tmp');
  try {
    return place.durable.createFile(sealPath(place), content, temporary);
  } catch (error) {
    if (!isSpaceError(error)) {
      throw error;
    }
    // On a full volume, which is why a run may be pruned, there is mostly still room for a name; that it is there is what counts.
    place.durable.remove(temporary);
    return place.durable.createEmpty(sealPath(place));
  }
}

function sealPath(place: Place): string {
  return join(place.runDirectory, 'sealed');
}

/** @throws {Refusal} RunSealed, AttemptSuperseded */
export function refuseLate(place: Place, attempt: number): void {
  if (statIfThere(sealPath(place)) !== undefined) {
    throw new Refusal('RunSealed', `Run ${place.run} has forced its cluster and was sealed: it is not forced again.`);
  }
  const names = statIfThere(place.runDirectory) === undefined ? [] : readdirSync(place.runDirectory);
  const attempts = names.map((name) => Number(markerName.exec(name)?.[1] ?? 0));
  const latest = Math.max(0, ...attempts);
  if (latest > attempt) {
    throw new Refusal('AttemptSuperseded', `Attempt ${latest} of run ${place.run} was spent already: attempt ${attempt} is too late.`);
  }
}

function readPod(path: string): string | undefined {
  try {
    const {pod} = JSON.parse(readFileSync(path, 'utf8')) as Partial<Marker>;
    return pod;
  } catch {
    return undefined;
  }
}
