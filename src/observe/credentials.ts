import {X509Certificate} from 'node:crypto';
import type {V1Secret} from '@kubernetes/client-node';
import type {QuorumRecoverySpec} from '../api/types.ts';
import type {EndpointTLS} from '../etcd/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';

/** What the operator shows to etcd, and why it cannot be used where that is so. */
export interface Credentials {
  tls: EndpointTLS | undefined;
  auth: {username: string; password: string} | undefined;
  problem: string | undefined;
}

const decoded = (secret: V1Secret, key: string) => {
  const value = secret.data?.[key];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
};

/** Dates of a client certificate; undefined: it may be used now. */
export function certificateProblem(pem: string, field: string, now: number): string | undefined {
  try {
    const certificate = new X509Certificate(pem);
    if (Date.parse(certificate.validTo) < now) return `${field}: the client certificate (${certificate.subject}) expired on ${certificate.validTo}`;
    if (Date.parse(certificate.validFrom) > now) return `${field}: the client certificate (${certificate.subject}) is not valid before ${certificate.validFrom}`;
    return undefined;
  } catch {
    return `${field}: no PEM certificate`;
  }
}

/** Reads the Secrets that the spec names. Errors of the API server other than 404 are thrown. */
export async function loadCredentials(client: KubernetesClient, namespace: string, spec: QuorumRecoverySpec, now: number): Promise<Credentials> {
  const none: Credentials = {tls: undefined, auth: undefined, problem: undefined};
  const {tls, auth} = spec.target;
  const [tlsSecret, authSecret] = await Promise.all([
    tls && client.get('Secret', namespace, tls.secretName), auth && client.get('Secret', namespace, auth.secretName),
  ]);
  if (tls) {
    if (tlsSecret === undefined) return {...none, problem: `spec.target.tls.secretName: there is no Secret ${namespace}/${tls.secretName}`};
    const [ca, cert, key] = [decoded(tlsSecret, tls.caKey), decoded(tlsSecret, tls.certKey), decoded(tlsSecret, tls.keyKey)];
    const missing = [[tls.caKey, ca], [tls.certKey, cert], [tls.keyKey, key]].filter(([, value]) => value === undefined).map(([name]) => name);
    if (ca === undefined || cert === undefined || key === undefined) {
      return {...none, problem: `spec.target.tls: Secret ${namespace}/${tls.secretName} has no key ${missing.join(', ')}`};
    }
    const problem = certificateProblem(cert, `spec.target.tls: Secret ${namespace}/${tls.secretName} key ${tls.certKey}`, now);
    if (problem) return {...none, problem};
    none.tls = {ca, cert, key};
  }
  if (auth) {
    if (authSecret === undefined) return {...none, problem: `spec.target.auth.secretName: there is no Secret ${namespace}/${auth.secretName}`};
    const [username, password] = [decoded(authSecret, auth.usernameKey), decoded(authSecret, auth.passwordKey)];
    if (username === undefined || password === undefined) {
      return {...none, problem: `spec.target.auth: Secret ${namespace}/${auth.secretName} needs the keys ${auth.usernameKey} and ${auth.passwordKey}`};
    }
    none.auth = {username, password};
  }
  return none;
}
