import type {Observation} from '../observe/observation.ts';

/** What etcd refused, by field and Secret, and what to do. */
export function rejectedWords({spec: {target}, resource: {metadata: {namespace = 'default'}}}: Observation, what: string, tls: boolean): string {
  const given = tls ? target.tls : target.auth;
  const field = tls ? 'spec.target.tls' : 'spec.target.auth';
  const kind = tls ? 'the certificates' : 'the user and password';
  const correct = given === undefined ? `set ${field} to a Secret with ${tls ? 'a client certificate' : 'a user of the root role'}` : `correct Secret ${namespace}/${given.secretName}`;
  return `etcd does not take ${kind}${given === undefined ? ', as there are none' : ` of Secret ${namespace}/${given.secretName}`} (${field}): ${what}. Nothing is let go; ${correct}, and the run goes on by itself`;
}

/** etcd asks for a user, and the spec names none. */
export const authWords = (pod: string): string =>
  `etcd has authentication enabled (${pod} says so): set spec.target.auth to a Secret with a user of the root role. Without one it tells nothing of its quorum, and after a force no member could be added`;
