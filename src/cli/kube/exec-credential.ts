import {execFile} from 'node:child_process';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {CommandError} from '../failure.ts';

/** `users[].user.exec` of a kubeconfig (client.authentication.k8s.io). */
export interface ExecConfig {
  apiVersion?: string;
  command: string;
  args?: string[] | null;
  env?: {name: string; value: string}[] | null;
  installHint?: string;
}

export interface ExecCredential {
  token?: string | undefined;
  cert?: Buffer | undefined;
  key?: Buffer | undefined;
}

interface Answer {
  status?: {token?: string; clientCertificateData?: string; clientKeyData?: string};
}

const timeoutMs = 60_000;

/** Asks the program that a kubeconfig names for this user's credentials, as kubectl does. It may talk to the person on standard error. */
export async function execCredential(config: ExecConfig, directory: string): Promise<ExecCredential> {
  const {command, args, env, apiVersion = 'client.authentication.k8s.io/v1'} = config;
  const info = JSON.stringify({apiVersion, kind: 'ExecCredential', spec: {interactive: false}});
  const program = command.includes('/') && !command.startsWith('/') ? join(directory, command) : command;
  const environment = {...process.env, ...Object.fromEntries((env ?? []).map(({name, value}) => [name, value])), KUBERNETES_EXEC_INFO: info};
  let answer: Answer;
  try {
    const {stdout} = await promisify(execFile)(program, args ?? [], {env: environment, timeout: timeoutMs, maxBuffer: 1 << 20});
    answer = JSON.parse(stdout) as Answer;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new CommandError(`The kubeconfig's user is told by the program ${command}, which ${missing ? 'is not there' : `failed: ${error instanceof Error ? error.message : String(error)}`}${config.installHint === undefined ? '' : `\n${config.installHint}`}`);
  }
  const {token, clientCertificateData, clientKeyData} = answer.status ?? {};
  return {
    token, cert: clientCertificateData === undefined ? undefined : Buffer.from(clientCertificateData),
    key: clientKeyData === undefined ? undefined : Buffer.from(clientKeyData),
  };
}
