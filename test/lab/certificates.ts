import {randomBytes} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {apiAddress, apiServiceAddress} from './network.ts';
import {run} from './shell.ts';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const days = '3650';

/** The lab's certificate authority, and the certificates that the control plane needs. */
export async function makeAuthority(directory: string): Promise<void> {
  if (existsSync(join(directory, 'ca.crt'))) return;
  mkdirSync(directory, {recursive: true, mode: 0o700});
  const at = (file: string): string => join(directory, file);
  await run('openssl', ['req', '-x509', ...newKey, '-subj', '/CN=lab-ca', '-days', days, '-keyout', at('ca.key'), '-out', at('ca.crt')]);
  await run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', at('sa.key')]);
  await run('openssl', ['pkey', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')]);
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'];
  await makeCertificate(directory, 'apiserver', '/CN=kube-apiserver', [
    ...service.map((name) => `DNS:${name}`),
    ...['127.0.0.1', apiAddress, apiServiceAddress].map((address) => `IP:${address}`),
  ]);
  await makeCertificate(directory, 'admin', '/O=system:masters/CN=admin');
  await makeCertificate(directory, 'proxy', '/CN=system:kube-proxy');
}

/** NAME.crt and NAME.key, good for a client and a server, signed by the directory's authority. */
export async function makeCertificate(directory: string, name: string, subject: string, alternativeNames: readonly string[] = []): Promise<void> {
  const at = (file: string): string => join(directory, file);
  if (existsSync(at(`${name}.crt`))) return;
  const extensions = ['extendedKeyUsage=clientAuth,serverAuth'];
  if (alternativeNames.length > 0) extensions.push(`subjectAltName=${alternativeNames.join(',')}`);
  writeFileSync(at(`${name}.ext`), `${extensions.join('\n')}\n`);
  await run('openssl', ['req', '-new', ...newKey, '-subj', subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)]);
  await run('openssl', [
    ...['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-set_serial', `0x${randomBytes(15).toString('hex')}`],
    ...['-days', days, '-extfile', at(`${name}.ext`), '-out', at(`${name}.crt`)],
  ]);
  rmSync(at(`${name}.csr`));
  rmSync(at(`${name}.ext`));
}

/** A kubeconfig for one of the directory's certificates, with everything in it. */
export function kubeconfig(directory: string, certificate: string, server: string): string {
  const encoded = (file: string): string => readFileSync(join(directory, file)).toString('base64');
  const user = {'client-certificate-data': encoded(`${certificate}.crt`), 'client-key-data': encoded(`${certificate}.key`)};
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{name: 'lab', cluster: {server, 'certificate-authority-data': encoded('ca.crt')}}],
    users: [{name: certificate, user}],
    contexts: [{name: 'lab', context: {cluster: 'lab', user: certificate}}],
    'current-context': 'lab',
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
