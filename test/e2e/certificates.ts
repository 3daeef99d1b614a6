import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {V1Secret} from '@kubernetes/client-node';
import type {EndpointTLS} from '../../src/etcd/member.ts';
import {run} from '../lab/shell.ts';
import {setName} from './etcd.ts';

/** Certificates for one etcd: for its pods and for a client, and a client certificate that etcd does not know. */
export interface Certificates {
  /** Server and peer certificate; mounted by the pods. */
  server: V1Secret;
  client: V1Secret;
  /** A peer certificate of its own, and another of the same name and authority whose time is over. */
  peer: V1Secret;
  expiredPeer: V1Secret;
  /** Of another authority: etcd refuses it. */
  stranger: V1Secret;
  /** What a test's own client takes. */
  tls: EndpointTLS;
}

export async function makeCertificates(namespace: string): Promise<Certificates> {
  const directory = mkdtempSync(join(tmpdir(), 'e2e-pki-'));
  try {
    await authority(directory, 'ca');
    await authority(directory, 'other');
    const names = [`*.${setName}.${namespace}.svc`, `*.${setName}.${namespace}.svc.cluster.local`, `etcd-client.${namespace}.svc`, 'localhost'];
    await issue(directory, 'ca', 'server', names);
    await issue(directory, 'ca', 'client', []);
    await issue(directory, 'ca', 'peer', names);
    await issue(directory, 'ca', 'expired', names, -1);
    await issue(directory, 'other', 'stranger', []);
    const read = (file: string): string => readFileSync(join(directory, file), 'utf8');
    const secret = (name: string, from: string): V1Secret => ({
      metadata: {name, namespace}, type: 'Opaque', stringData: {'ca.crt': read('ca.crt'), 'tls.crt': read(`${from}.crt`), 'tls.key': read(`${from}.key`)},
    });
    return {
      server: secret('etcd-tls', 'server'), peer: secret('etcd-peer-tls', 'peer'), expiredPeer: secret('etcd-peer-tls', 'expired'), client: secret('etcd-client-tls', 'client'), stranger: secret('stranger-tls', 'stranger'),
      tls: {ca: read('ca.crt'), cert: read('client.crt'), key: read('client.key'), serverName: `${setName}-0.${setName}.${namespace}.svc`},
    };
  } finally {
    rmSync(directory, {recursive: true});
  }
}

async function openssl(directory: string, args: string[]): Promise<void> {
  await run('openssl', args, {directory});
}

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

async function authority(directory: string, name: string): Promise<void> {
  await openssl(directory, ['req', '-x509', ...key, '-days', '30', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`]);
}

async function issue(directory: string, by: string, name: string, alternative: string[], days = 30): Promise<void> {
  const extensions = ['extendedKeyUsage=serverAuth,clientAuth', ...(alternative.length > 0 ? [`subjectAltName=${alternative.map((dns) => `DNS:${dns}`).join(',')}`] : [])];
  writeFileSync(join(directory, `${name}.ext`), `${extensions.join('\n')}\n`);
  await openssl(directory, ['req', '-new', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`]);
  await openssl(directory, ['x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', String(days), '-extfile', `${name}.ext`, '-out', `${name}.crt`]);
}
