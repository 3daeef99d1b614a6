import {parseArgs} from 'node:util';
import {Lab, endLab, nodeNames} from './lab.ts';
import {operatorImage} from './operator-image.ts';
import {LabPaths} from './paths.ts';
import {runAttached} from './shell.ts';
import {labNames, readLiveState} from './state.ts';

const usage = `Usage: main.ts COMMAND [--name LAB]

  up [--nodes 5] [--images operator|none]   start a lab and leave it running
  down                    end it and remove everything of it
  status                  all labs and their nodes
  add-node NODE           add a node
  end-node NODE           end a node suddenly; its disks stay, unserved
  start-node NODE         start an ended node again, with its disks
  remove-node NODE        end a node and destroy its disks
  delete-node NODE        delete its Node object from Kubernetes
  restart-kubelet NODE    kill its kubelet, which comes back at once
  partition A,B C,D       drop all traffic between two sets of nodes; "api" stands for the API server
  heal                    take the partition back
  import-image IMAGE      load an archive or OCI layout into every node, also later ones
  operator-image          build the operator's image and print the path of its OCI layout
  exec -- COMMAND...      run a command with the lab's network, names and KUBECONFIG
  kubeconfig              print the path of the kubeconfig

LAB is "lab" unless told otherwise.`;

const {values, positionals} = parseArgs({
  allowPositionals: true,
  options: {
    name: {type: 'string', default: process.env['LAB_NAME'] ?? 'lab'},
    nodes: {type: 'string', default: '5'},
    images: {type: 'string', default: 'none'},
    help: {type: 'boolean', default: false},
  },
});
const [command = 'help', ...args] = positionals;
const name = values.name;

const begin = Date.now();
const say = (line: string): void => {
  console.error(`[${((Date.now() - begin) / 1000).toFixed(1).padStart(6)} s] ${line}`);
};

/** A command on one node. */
function onNode(act: (lab: Lab, node: string) => Promise<void>, done: string): () => Promise<void> {
  return async () => {
    const [node] = args;
    if (node === undefined || args.length > 1) throw new Error(`${command} takes one node's name`);
    await act(Lab.attach(name), node);
    say(`${node}: ${done}`);
  };
}

const commands: Record<string, () => Promise<void>> = {
  up,
  status,
  exec,
  partition,
  'add-node': onNode((lab, node) => lab.addNode(node), 'added and Ready'),
  'end-node': onNode((lab, node) => lab.endNode(node), 'ended; its Node object is still there'),
  'start-node': onNode((lab, node) => lab.startNode(node), 'started and Ready'),
  'remove-node': onNode((lab, node) => lab.removeNode(node), 'ended, and its disks are destroyed; its Node object is still there'),
  'delete-node': onNode((lab, node) => lab.deleteNode(node), 'Node object deleted'),
  'restart-kubelet': onNode((lab, node) => lab.restartKubelet(node), 'kubelet killed; it starts again'),
  down: async () => {
    await endLab(name);
    say(`the lab ${name} is gone`);
  },
  heal: async () => {
    await Lab.attach(name).heal();
    say('no partition any more');
  },
  'import-image': async () => {
    for (const archive of args) await Lab.attach(name).importImage(archive);
    say('imported into every node');
  },
  'operator-image': async () => {
    console.log(await operatorImage(say));
  },
  kubeconfig: () => print(Lab.attach(name).kubeconfig),
  help: () => print(usage),
};

function print(text: string): Promise<void> {
  console.log(text);
  return Promise.resolve();
}

async function up(): Promise<void> {
  const count = Number(values.nodes);
  if (!Number.isInteger(count) || count < 0) throw new Error('--nodes takes a number');
  if (!['operator', 'none'].includes(values.images)) throw new Error('--images takes "operator" or "none"');
  if (readLiveState(new LabPaths(name)) !== undefined) {
    const missing = nodeNames(count).filter((node) => !Lab.attach(name).nodes().some((other) => other.name === node));
    for (const node of missing) await Lab.attach(name).addNode(node);
    say(`the lab ${name} runs already${missing.length > 0 ? `; added ${missing.join(', ')}` : ''}`);
  } else {
    const images = values.images === 'operator' ? [await operatorImage(say)] : [];
    await Lab.up({name, nodes: count, images, say});
    say(`the lab ${name} is up with ${count} nodes`);
  }
  const lab = Lab.attach(name);
  console.log(`export KUBECONFIG=${lab.kubeconfig}`);
  console.log(`export PATH=${lab.bin}:$PATH   # kubectl, helm, etcdctl, etcdutl`);
}

async function partition(): Promise<void> {
  const [first, second] = args.map((list) => list.split(','));
  if (first === undefined || second === undefined || args.length > 2) throw new Error('partition takes two sets of nodes, such as n1,n2 n3,api');
  await Lab.attach(name).partition(first, second);
  say(`nothing passes between ${first.join(', ')} and ${second.join(', ')}`);
}

async function exec(): Promise<void> {
  const [program, ...rest] = Lab.attach(name).command(args);
  if (program === undefined || args.length === 0) throw new Error('exec takes a command after --');
  process.exitCode = await runAttached(program, rest);
}

function status(): Promise<void> {
  if (labNames().length === 0) console.log('no lab here');
  for (const each of labNames()) {
    const running = readLiveState(new LabPaths(each)) !== undefined;
    console.log(`${each}: ${running ? `running, KUBECONFIG=${Lab.attach(each).kubeconfig}` : 'dead; "up" and "down" clean it away'}`);
    if (!running) continue;
    for (const node of Lab.attach(each).nodes()) console.log(`  ${node.name}: ${node.running ? 'running' : 'ended'}`);
  }
  return Promise.resolve();
}

const chosen = values.help ? commands['help'] : commands[command];
try {
  if (chosen === undefined) throw new Error(`there is no command ${command}\n\n${usage}`);
  await chosen();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
