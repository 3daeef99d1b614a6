import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import type {AddressInfo} from 'node:net';
import {setTimeout as delay} from 'node:timers/promises';
import {apiSocketInside} from './control-plane.ts';
import {LabPaths} from './paths.ts';
import {identifyProcess} from './processes.ts';
import type {ProcessIdentity} from './processes.ts';
import {writeState} from './state.ts';

/*
 * `node supervisor.ts NAME`: the one process on the machine that a lab hangs on. It starts the lab's first process in its
 * own namespaces and forwards a port on loopback to the API server in there. When either of the two ends, so does the other.
 */
const name = process.argv[2];
if (name === undefined) throw new Error('name a lab');
const paths = new LabPaths(name);

const isolated = ['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--mount-proc', '--kill-child'];
const unshare = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...isolated, 'bash', paths.at('init.sh')], {stdio: 'inherit'});
unshare.on('error', (error) => {
  throw error;
});
unshare.on('exit', (status, signal) => {
  console.log(`the lab's first process ended with ${signal ?? `status ${status ?? 0}`}`);
  process.exit(0);
});

const init = await initOf(unshare.pid);
const forwarder = createServer({allowHalfOpen: true}, (outside) => {
  const inside = connect({path: `/proc/${init.pid}/root${apiSocketInside}`, allowHalfOpen: true});
  outside.on('error', () => inside.destroy());
  inside.on('error', () => outside.destroy());
  outside.on('close', () => inside.destroy());
  inside.on('close', () => outside.destroy());
  outside.setNoDelay(true);
  outside.pipe(inside).pipe(outside);
});
forwarder.listen(0, '127.0.0.1', () => {
  const supervisor = identifyProcess(process.pid);
  if (supervisor === undefined) throw new Error('this process does not exist');
  writeState(paths, {supervisor, init, port: (forwarder.address() as AddressInfo).port});
});

async function initOf(parent: number | undefined): Promise<ProcessIdentity> {
  if (parent === undefined) throw new Error('unshare did not start');
  for (;;) {
    const child = Number(readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')[0]);
    const identity = child > 0 ? identifyProcess(child) : undefined;
    if (identity !== undefined) return identity;
    await delay(20);
  }
}
