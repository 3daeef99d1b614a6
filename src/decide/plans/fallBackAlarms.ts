import type {OfflineFacts} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import type {DataVerdict} from '../evidence/intact.ts';
import {offlineOf} from '../evidence/offline.ts';
import type {Refusal} from './preflight.ts';
import {authWords} from '../refusals.ts';

/* What stands in a database beside its keys, and holds again as soon as an etcd starts on it: alarms, and that a user is asked for. */

const databaseOf = (observation: Pick<Observation, 'status'>, pod: string) => offlineOf(observation, pod)?.database;

/** Its own etcd found that it differs from the others; undefined: it never said so. */
export const corruptWords = ({database}: Pick<OfflineFacts, 'database'>, memberID: string): string | undefined =>
  (database?.alarms?.some((alarm) => alarm.alarm === 'CORRUPT' && alarm.memberID === memberID) === true
    ? 'its etcd found its database corrupt, and the alarm (CORRUPT) stands in it: nothing is restored from it' : undefined);

/** Members whose database is within reach and was found corrupt, each with the words for a refusal. */
export const corruptMembers = ({status: {run}}: Pick<Observation, 'status'>, data: readonly DataVerdict[]): string[] => data
  .filter(({state}) => state === 'Running' || state === 'Readable')
  .flatMap(({voter}) => (run?.offline ?? []).filter(({pod}) => pod === voter.pod).map((facts) => ({pod: facts.pod, words: corruptWords(facts, voter.memberID)})))
  .flatMap(({pod, words}) => (words === undefined ? [] : [`${pod}: ${words}`]));

/** Users are in the data: without one nobody is let in, and no member could be added. */
export const databaseAuthRefusal = (observation: Observation, pod: string): Refusal | undefined =>
  (databaseOf(observation, pod)?.authEnabled === true && observation.spec.target.auth === undefined ? {reason: 'AuthRequired', message: authWords(pod)} : undefined);

/** What is done about the alarms that stand in it. */
export const databaseAlarmNotes = (observation: Observation, pod: string): string[] => {
  const alarms = databaseOf(observation, pod)?.alarms ?? [];
  const full = alarms.some(({alarm}) => alarm === 'NOSPACE');
  const others = alarms.filter(({alarm}) => alarm === 'CORRUPT').map(({memberID}) => memberID);
  return [
    ...(full ? [`the alarm that the database fills its quota (NOSPACE) stands in the database of ${pod}: once the new cluster runs, and before its first write, the history is compacted, the database defragmented and the alarm disarmed`] : []),
    ...(others.length > 0 ? [`the alarm that member ${others.join(', ')} was corrupt stands in the database of ${pod}, which is another member's: once the new cluster runs it is disarmed`] : []),
  ];
};
