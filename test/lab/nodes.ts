import {randomUUID} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {kubeconfig, makeCertificate} from './certificates.ts';
import {makeCgroup, removeCgroup} from './cgroups.ts';
import {enterNode, runInLab, runInNode} from './inside.ts';
import {withLock} from './lock.ts';
import {apiAddress, apiPort, linkName, maximumIndex, nodeAddress, nodePodNetwork} from './network.ts';
import {nodeFiles} from './node-files.ts';
import type {LabPaths} from './paths.ts';
import {readNodes, writeNode} from './state.ts';
import type {NodeRecord} from './state.ts';
import {copyTemplate, importImage, importOffline} from './template.ts';

/** Directories that make up a node's disks. */
const disks = ['run', 'cni', 'containerd', 'kubelet', 'log/pods', 'volumes', 'plugins'];

/** The record of a node that has to exist; `node.pid` is not there where it is ended. */
export function findNode(paths: LabPaths, name: string): NodeRecord {
  const nodes = readNodes(paths);
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new Error(`the lab ${paths.name} has no node ${name}, only: ${nodes.map((other) => other.name).join(', ')}`);
  return node;
}

/**
 * Held by whoever copies the images that every node begins with, and alone by whoever adds to them: an import starts a containerd on them and
 * on each node that does not run, so on one, too, whose copy is still being made. Taken before nodes.lock.
 */
const imagesLock = (paths: LabPaths): string => paths.at('images.lock');

/** Makes a new node's disks, certificate and identity. It does not run yet. */
export async function createNode(paths: LabPaths, name: string, labels: Record<string, string>): Promise<NodeRecord> {
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name)) throw new Error(`"${name}" cannot be a node's name: use lower-case letters, digits and dashes`);
  const node = await withLock(imagesLock(paths), async () => {
    const record = await recordNode(paths, name, labels);
    await copyTemplate(paths.at('containerd'), paths.node(name, 'containerd'));
    return record;
  }, {shared: true});
  const alternativeNames = [`IP:${nodeAddress(node.index)}`, `DNS:${name}`];
  await makeCertificate(paths.at('pki'), name, `/O=system:nodes/CN=system:node:${name}`, alternativeNames);
  writeFileSync(paths.at('pki', `${name}.kubeconfig`), kubeconfig(paths.at('pki'), name, `https://${apiAddress}:${apiPort}`));
  return node;
}

/** The name and the addresses are taken from then on. */
async function recordNode(paths: LabPaths, name: string, labels: Record<string, string>): Promise<NodeRecord> {
  return await withLock(paths.at('nodes.lock'), () => {
    const nodes = readNodes(paths);
    if (nodes.some((other) => other.name === name)) throw new Error(`the lab ${paths.name} has a node ${name} already; start-node starts it where it is ended`);
    const record: NodeRecord = {name, index: freeIndex(nodes), machineID: randomUUID().replaceAll('-', ''), labels};
    for (const disk of disks) mkdirSync(paths.node(name, disk), {recursive: true});
    writeNode(paths, record);
    return Promise.resolve(record);
  });
}

/** Starts a node on the disks that it has. Returns once its processes are on the way; its kubelet registers by itself. */
export async function startNode(paths: LabPaths, name: string): Promise<void> {
  await withLock(paths.at('nodes.lock'), async () => {
    const node = findNode(paths, name);
    if (node.pid !== undefined) throw new Error(`the node ${name} runs already`);
    const cgroup = `${paths.cgroup}/${name}`;
    makeCgroup(cgroup);
    for (const [file, content] of Object.entries(nodeFiles(node, cgroup))) {
      mkdirSync(dirname(paths.node(name, file)), {recursive: true});
      writeFileSync(paths.node(name, file), content);
    }
    const pid = Number(await runInLab(paths, startScript(node)));
    writeNode(paths, {...node, pid});
  });
}

/** As if its plug was pulled: its link goes down and every process on it is gone, at once. Its disks stay as they are. */
export async function endNode(paths: LabPaths, name: string): Promise<void> {
  await withLock(paths.at('nodes.lock'), async () => {
    const {pid, ...node} = findNode(paths, name);
    if (pid === undefined) throw new Error(`the node ${name} is ended already`);
    await runInLab(paths, endScript(node, pid));
    writeNode(paths, node);
    await removeCgroup(`${paths.cgroup}/${name}`);
  });
}

/** Removes what an ended node has left: its disks and its identity. */
export async function wipeNode(paths: LabPaths, name: string): Promise<void> {
  await withLock(paths.at('nodes.lock'), async () => {
    if (findNode(paths, name).pid !== undefined) throw new Error(`the node ${name} runs; end it first`);
    await runInLab(paths, `ip route del blackhole ${nodePodNetwork(findNode(paths, name).index)} || true`);
    rmSync(paths.node(name), {recursive: true, force: true});
    for (const ending of ['crt', 'key', 'kubeconfig']) rmSync(paths.at('pki', `${name}.${ending}`), {force: true});
  });
}

/** Kills the node's kubelet alone; it is started again at once, and registers anew if its Node is gone. Its pods go on. */
export async function restartKubelet(paths: LabPaths, name: string): Promise<void> {
  await runInNode(paths, findNode(paths, name), 'kill -9 "$(cat /run/kubelet.pid)"');
}

/** Loads an image (an OCI or docker archive, or an OCI image layout) into every node, ended ones included, and for those that are created later. */
export async function importIntoNodes(paths: LabPaths, image: string): Promise<void> {
  await withLock(imagesLock(paths), () => withLock(paths.at('nodes.lock'), async () => {
    const silent = (): void => undefined;
    const nodes = readNodes(paths);
    const offline = [paths.at('containerd'), ...nodes.filter(({pid}) => pid === undefined).map(({name}) => paths.node(name, 'containerd'))];
    const online = nodes.filter(({pid}) => pid !== undefined);
    await Promise.all([
      ...offline.map((directory) => importOffline(directory, [image], silent)),
      ...online.map((node) => importImage([...enterNode(paths, node), 'ctr'], image, paths.node(node.name, 'containerd'))),
    ]);
  }));
}

/** The end of a node's own log files, to be shown when it does not come up. */
export function lastLogLines(paths: LabPaths, name: string): string {
  return ['init', 'containerd', 'kubelet']
    .map((log) => paths.node(name, 'log', `${log}.log`))
    .filter((file) => existsSync(file))
    .map((file) => `${file}:\n${readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n')}`)
    .join('\n');
}

function freeIndex(nodes: readonly NodeRecord[]): number {
  for (let index = 1; index <= maximumIndex; index += 1) {
    if (!nodes.some((node) => node.index === index)) return index;
  }
  throw new Error(`a lab has at most ${maximumIndex} nodes`);
}

/** Prints the ID of the node's init in the lab's PID namespace. */
function startScript({name, index}: NodeRecord): string {
  const link = linkName(index);
  return `
    ip link del ${link} 2>/dev/null || true
    isolated='--mount --pid --net --uts --ipc --fork --mount-proc --kill-child'
    setsid unshare $isolated bash /run/lab/nodes/${name}/init.sh >>/run/lab/nodes/${name}/log/init.log 2>&1 </dev/null &
    pid=
    until [ -n "$pid" ]; do sleep 0.01; read -r pid _ </proc/$!/task/$!/children || true; done
    ip link add ${link} type veth peer name eth0 netns $pid
    ip link set ${link} up
    ip route replace ${nodeAddress(index)} dev ${link}
    ip route del blackhole ${nodePodNetwork(index)} 2>/dev/null || true
    ip route replace ${nodePodNetwork(index)} via ${nodeAddress(index)} dev ${link}
    echo $pid`;
}

/** From here on nobody answers for the node's addresses, not even with an error: packets to it vanish, as on a real network. */
function endScript({name, index}: NodeRecord, pid: number): string {
  return `
    ip link set ${linkName(index)} down || true
    ip route replace blackhole ${nodePodNetwork(index)}
    ip route replace blackhole ${nodeAddress(index)}
    if grep -q /nodes/${name}/init.sh /proc/${pid}/cmdline 2>/dev/null; then kill -9 ${pid}; fi
    while grep -q /nodes/${name}/init.sh /proc/${pid}/cmdline 2>/dev/null; do sleep 0.02; done
    ip link del ${linkName(index)} 2>/dev/null || true`;
}
