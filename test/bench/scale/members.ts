import {join} from 'node:path';
import {createServer} from 'node:net';
import type {Server as Listener, Socket} from 'node:net';
import {readFileSync} from 'node:fs';
import {Metadata, Server, ServerCredentials, loadPackageDefinition, status as codes} from '@grpc/grpc-js';
import type {ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation, sendUnaryData} from '@grpc/grpc-js';
import {loadSync} from '@grpc/proto-loader';
import {projectDirectory} from '../../lab/paths.ts';
import {addressOf, clientPort, clusterID, domain, memberID, podOf, voters} from './layout.ts';

/*
 * Stands in for the members of many etcd clusters: real gRPC over mutual TLS with etcd's own messages, and as much of etcd behind it as the
 * watch over a cluster asks for. A process of its own, so that what the operator costs can be told from it.
 */

/** What the benchmark tells this process; each is answered by `Told`. */
export type Order =
  | {order: 'serve'; clusters: number; pki: string}
  /**
   * All members of each but one end: their connections break, and nothing listens there any more. `silently`: whoever asks has made sure that
   * nothing arrives there, so that nothing breaks either.
   */
  | {order: 'lose'; clusters: number[]; stays: number; silently: boolean}
  | {order: 'count'};

export interface Told {
  /** Open connections. */
  connections: number;
  /** Calls and new connections since the start. */
  calls: number;
  connected: number;
  streams: number;
  /** For each cluster, seconds since any of its members was last asked for its status. */
  sinceAsked: number[];
}

interface Watcher {
  stream: ServerDuplexStream<{create_request?: object}, object>;
  ordinal: number;
}

interface Member {
  up: boolean;
  sockets: Set<Socket>;
  listener: Listener;
}

interface Cluster {
  /** Ordinal of the leader; undefined: there is none. */
  leader: number | undefined;
  members: Member[];
  watchers: Set<Watcher>;
  asked: number;
}

const electionMs = 1_000;
const services = loadPackageDefinition(loadSync(join(projectDirectory, 'node_modules/etcd3/proto/rpc.proto'), {
  keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
}))['etcdserverpb'] as unknown as Record<string, {service: ServiceDefinition}>;
const serviceOf = (name: string): ServiceDefinition => {
  const found = services[name]?.service;
  if (found === undefined) throw new Error(`etcd3 describes no service ${name}`);
  return found;
};

const clusters: Cluster[] = [];
const begun = Date.now();
let calls = 0;
let connected = 0;

/** Who was asked: the name that the operator expects in the certificate is that of the pod. */
function asked(host: string): {number: number; ordinal: number; cluster: Cluster} {
  const [, number = '', ordinal = ''] = /^etcd-(\d+)-(\d+)\./.exec(host) ?? [];
  const cluster = clusters[Number(number)];
  if (cluster === undefined) throw new Error(`nobody is called ${host}`);
  calls += 1;
  return {number: Number(number), ordinal: Number(ordinal), cluster};
}

/** Ten writes a second, so that revisions grow as they do in life. */
const revision = (): number => 1_000 + Math.floor((Date.now() - begun) / 100);
const header = (number: number, ordinal: number): object =>
  ({cluster_id: clusterID(number), member_id: memberID(number, ordinal), revision: String(revision()), raft_term: '2'});

type Unary = {request: {linearizable?: boolean}; getHost(): string};
type Answer = sendUnaryData<object>;

const maintenance: UntypedServiceImplementation = {
  Status: (call: Unary, answer: Answer) => {
    const {number, ordinal, cluster} = asked(call.getHost());
    cluster.asked = performance.now();
    const leader = cluster.leader === undefined ? '0' : memberID(number, cluster.leader);
    const index = String(revision() + 10);
    answer(null, {
      header: header(number, ordinal), version: '3.6.16', dbSize: '10000000', dbSizeInUse: '9000000', leader, raftIndex: index, raftAppliedIndex: index,
      raftTerm: '2', errors: [], isLearner: false,
    });
  },
};

const membership: UntypedServiceImplementation = {
  MemberList: (call: Unary, answer: Answer) => {
    const {number, ordinal, cluster} = asked(call.getHost());
    // Without a leader etcd answers a linearizable read only after its own deadline, which is longer than the operator's.
    if (call.request.linearizable === true && cluster.leader === undefined) return;
    answer(null, {header: header(number, ordinal), members: cluster.members.map((_, index) => ({
      ID: memberID(number, index), name: podOf(number, index), isLearner: false,
      peerURLs: [`https://${podOf(number, index)}.${domain}:2380`], clientURLs: [`https://${podOf(number, index)}.${domain}:${clientPort}`],
    }))});
  },
};

const kv: UntypedServiceImplementation = {
  Range: (call: Unary, answer: Answer) => {
    const {number, ordinal} = asked(call.getHost());
    answer(null, {header: header(number, ordinal), kvs: [], more: false, count: '0'});
  },
};

const auth: UntypedServiceImplementation = {
  AuthStatus: (call: Unary, answer: Answer) => {
    const {number, ordinal} = asked(call.getHost());
    answer(null, {header: header(number, ordinal), enabled: false, authRevision: '1'});
  },
};

const noLeader = (stream: Watcher['stream']): void => {
  stream.emit('error', {code: codes.UNAVAILABLE, details: 'etcdserver: no leader', metadata: new Metadata()});
};

const watch: UntypedServiceImplementation = {
  Watch: (stream: Watcher['stream']) => {
    const {number, ordinal, cluster} = asked(stream.getHost());
    if (cluster.leader === undefined && stream.metadata.get('hasleader')[0] === 'true') {
      noLeader(stream);
      return;
    }
    const watcher: Watcher = {stream, ordinal};
    cluster.watchers.add(watcher);
    stream.on('data', (request: {create_request?: object}) => {
      stream.write({header: header(number, ordinal), watch_id: '0', created: request.create_request !== undefined, canceled: false, events: []});
    });
    const gone = (): void => void cluster.watchers.delete(watcher);
    stream.on('cancelled', gone).on('end', () => { gone(); stream.end(); }).on('error', gone);
  },
};

/** The one that stays is a follower whose leader is gone, or a leader that steps down; then etcd counts three more election timeouts. */
function lose(cluster: Cluster, stays: number, silently: boolean): void {
  cluster.members.forEach((member, ordinal) => {
    if (ordinal === stays) return;
    member.up = false;
    for (const watcher of [...cluster.watchers]) if (watcher.ordinal === ordinal) cluster.watchers.delete(watcher);
    if (silently) return;
    member.listener.close();
    for (const socket of member.sockets) socket.destroy();
  });
  setTimeout(() => {
    cluster.leader = undefined;
    setTimeout(() => {
      for (const {stream} of [...cluster.watchers]) noLeader(stream);
    }, (2 + Math.random()) * electionMs);
  }, (stays === 0 ? 1 : 1 + Math.random()) * electionMs);
}

async function serve(count: number, pki: string): Promise<void> {
  const read = (file: string): Buffer => readFileSync(join(pki, file));
  const server = new Server({'grpc.max_concurrent_streams': 100});
  server.addService(serviceOf('Maintenance'), maintenance);
  server.addService(serviceOf('Cluster'), membership);
  server.addService(serviceOf('KV'), kv);
  server.addService(serviceOf('Auth'), auth);
  server.addService(serviceOf('Watch'), watch);
  const injector = server.createConnectionInjector(ServerCredentials.createSsl(read('ca.crt'), [{cert_chain: read('members.crt'), private_key: read('members.key')}], true));
  for (let number = clusters.length; number < count; number += 1) {
    const members = Array.from({length: voters}, (_, ordinal): Member => {
      const sockets = new Set<Socket>();
      const listener = createServer((socket) => {
        connected += 1;
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
        injector.injectConnection(socket);
      });
      listener.listen(clientPort, addressOf(number, ordinal));
      return {up: true, sockets, listener};
    });
    clusters.push({leader: 0, members, watchers: new Set(), asked: Number.NaN});
    await Promise.all(members.map(({listener}) => new Promise((resolve, reject) => { listener.once('listening', resolve).once('error', reject); })));
  }
}

const told = (): Told => ({
  calls, connected,
  connections: clusters.reduce((sum, {members}) => sum + members.reduce((own, {sockets}) => own + sockets.size, 0), 0),
  streams: clusters.reduce((sum, {watchers}) => sum + watchers.size, 0),
  sinceAsked: clusters.map(({asked: at}) => (performance.now() - at) / 1000),
});

process.on('message', (message) => {
  const order = message as Order;
  const done = (): void => void process.send?.(told());
  switch (order.order) {
    case 'serve':
      void serve(order.clusters, order.pki).then(done);
      break;
    case 'lose':
      for (const number of order.clusters) {
        const cluster = clusters[number];
        if (cluster !== undefined) lose(cluster, order.stays, order.silently);
      }
      done();
      break;
    case 'count':
      done();
  }
});
process.on('disconnect', () => { process.exit(); });
