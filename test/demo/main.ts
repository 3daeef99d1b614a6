import {Lab, endLab} from '../lab/lab.ts';
import {operatorImage} from '../lab/operator-image.ts';
import {labNames} from '../lab/state.ts';
import {installInLab} from '../e2e/install.ts';
import {Story, etcdNodes, spareLabel, spareNodes} from './story.ts';
import type {DemoResult} from './story.ts';
import {bold, green, heading, red, say, seconds, show, timed} from './terminal.ts';

const name = 'demo';

async function startLab(): Promise<Lab> {
  heading('A real Kubernetes on this machine');
  if (labNames().includes(name)) await timed(`the lab ${name} of an earlier time is ended, to start anew`, () => endLab(name));
  say('the operator\'s image is built from the Dockerfile, where the sources are not those of the last build');
  const image = await operatorImage(say);
  const lab = await Lab.up({name, nodes: 0, images: [image], say});
  await timed(`five nodes are Ready, each with its own containerd and kubelet: ${[...etcdNodes, ...spareNodes].join(', ')}`, async () => {
    await Promise.all([...etcdNodes.map((node) => lab.addNode(node)), ...spareNodes.map((node) => lab.addNode(node, {labels: spareLabel}))]);
  });
  heading('The operator is installed by its chart');
  await timed('helm install: two replicas are ready', () => installInLab(lab, {nodeSelector: spareLabel}));
  say(`they run on ${spareNodes.join(' and ')}, which do not burn, so that what is timed is the recovery and not a change of the leading replica`);
  return lab;
}

/** What is not as it should be. */
function problems(result: DemoResult): string[] {
  const found: string[] = [];
  if (result.keysLost > 0) found.push(`${result.keysLost} acknowledged writes are lost`);
  if (result.keysAfter < result.keysBefore) found.push(`there were ${result.keysBefore} keys, and now ${result.keysAfter}`);
  if (!result.hashesEqual) found.push('the members\' hashes differ');
  if (!result.statefulSetUnchanged) found.push('the StatefulSet was changed');
  return found;
}

function tryNext(lab: Lab): void {
  heading('The lab is left running. To look at it, and to try more:');
  show([
    `export KUBECONFIG=${lab.kubeconfig}`,
    `export PATH=${lab.bin}:$PATH`,
    'kubectl get qr,pods,pvc -o wide',
    'kubectl describe qr etcd',
    'kubectl exec etcd-0 -- etcdctl endpoint status --cluster -w table',
    'kubectl logs -n quorum-recovery-system -l app.kubernetes.io/name=quorum-recovery-operator --tail=20',
    `node_modules/.bin/node test/lab/main.ts --name ${name} add-node n6     # and end-node, delete-node, partition: burn it again,`,
    'kubectl patch qr etcd --type=merge -p \'{"spec":{"trigger":{"request":"again"}}}\'     # and ask for another run',
    `make lab-down LAB=${name}     # ends it`,
  ].join('\n'));
}

let story: Story | undefined;
const stopping = new AbortController();

/** Ends everything that was started, and then this process. */
function stop(signal: NodeJS.Signals): void {
  if (stopping.signal.aborted) return;
  stopping.abort();
  console.log('');
  say(`${signal}: ending the lab ${name} …`);
  story?.close();
  endLab(name).then(() => { say('nothing is left of it'); }, (error: unknown) => { say(`${String(error)}; "make lab-down LAB=${name}" tries again`); })
    .finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
}
process.on('SIGINT', stop).on('SIGTERM', stop);

const begin = Date.now();
try {
  const lab = await startLab();
  story = new Story(lab);
  const result = await story.tell();
  story.close();
  const wrong = problems(result);
  heading(wrong.length === 0 ? green(bold(`Recovered: writes after ${result.writableSeconds} s, three equal voters after ${result.redundantSeconds} s, no write lost, the StatefulSet untouched`))
    : red(bold(`Not as it should be: ${wrong.join('; ')}`)));
  tryNext(lab);
  say(`the whole demo took ${seconds(begin)} s`);
  console.log(`DEMO ${JSON.stringify(result)}`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} catch (error) {
  // A signal ends the lab below the demo's feet; that is no failure to be told of.
  if (!stopping.signal.aborted) {
    process.exitCode = 1;
    heading(red(bold(`The demo failed: ${error instanceof Error ? error.message : String(error)}`)));
    await story?.explain();
    story?.close();
    say(`the lab ${name} is left as it is, where it was started; "make lab-down LAB=${name}" ends it`);
  }
}
// A writer or a meter may still run where something failed.
if (!stopping.signal.aborted) process.exit();
