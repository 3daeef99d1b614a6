import {EtcdAccess} from './observe/access.ts';
import {askInTurn} from './observe/askInTurn.ts';
import {openSentinels} from './observe/sentinels.ts';
import {BackupTurns} from './operator/backupTurns.ts';
import {sleep} from './operator/clock.ts';
import {parseConfig} from './operator/config.ts';
import {keyText, parseKey} from './operator/keys.ts';
import {OtherOperators} from './operator/others.ts';
import {runOperator} from './operator/runtime.ts';
import {Selection} from './operator/selection.ts';
import {Turns} from './operator/turns.ts';
import {enqueueUnfinished} from './operator/unfinished.ts';
import {Recoverer} from './phases/reconciler.ts';
import {Reporter} from './phases/reporter.ts';

// A few bytes of the pool that small Buffers share keep all of it: Node keeps one such for each TLS connection, of 64 KiB by default.
Buffer.poolSize = 4_096;

const invocation = parseConfig(process.argv.slice(2), process.env);
switch (invocation.kind) {
  case 'Show':
    process.stdout.write(invocation.text);
    break;
  case 'Refuse':
    process.stderr.write(`${invocation.message}\n`);
    process.exitCode = 2;
    break;
  case 'Run': {
    const code = await runOperator(invocation.config, (context) => {
      const {metrics, config, feed, client, clock, log} = context;
      const selection = new Selection(config);
      feed.subscribe((event) => { selection.see(event); });
      const own = config.leaderElect ? `${config.lease.namespace}/${config.lease.name}` : undefined;
      const others = new OtherOperators(client, clock);
      const known = {resources: () => feed.known('QuorumRecovery'), synced: () => feed.synced, now: () => clock.now()};
      const turns = new Turns({limit: config.concurrentRuns, ...known});
      const backupTurns = new BackupTurns({limit: config.concurrentBackups, ...known});
      metrics.concurrentRuns.set(config.concurrentRuns);
      const etcd = new EtcdAccess({onProbe: ({result, cause, seconds}) => {
        metrics.probeDuration.observe({result}, seconds);
        if (cause !== undefined) metrics.probeFailures.inc({cause});
      }});
      const sentinels = openSentinels({
        etcd, now: () => context.clock.monotonic(), sleep: async (ms) => { await sleep(context.clock, ms); }, random: Math.random,
        onAnswer: async (key, answers) => { await recoverer.onAnswer(key, answers); },
        onLeaderless: (key, pod) => { recoverer.onLeaderless(key, pod); },
        onStir: (key, routine) => { context.enqueue(parseKey(key), routine); },
        onCalmEnd: (key, why, message) => {
          metrics.calmEnds.inc({why});
          context.log.info({...parseKey(key), why, message}, 'The cluster is looked at in full, because it may not be well any more');
        },
        onWatchEnd: (why) => { metrics.leaderWatchEnds.inc({why}); },
      });
      const {leaders, calm} = sentinels;
      metrics.observeWatches({open: () => leaders.size, calm: () => calm.size, lagMs: () => calm.lagMs});
      const recoverer: Recoverer = new Recoverer({
        client, status: context.status, etcd, sentinels, turns, backupTurns, watched: {
          resources: (namespace) => (selection.isComplete(namespace) ? [...context.resources()].filter((resource) => resource.metadata.namespace === namespace) : undefined),
          resource: (key) => context.resource(key),
          nodes: () => (feed.synced ? feed.known('Node') : undefined),
        }, reporter: new Reporter(log, context.events, metrics),
        installation: {own, serves: (resource) => selection.serves(resource), lease: async (name) => await others.lease(name)},
        agentImage: config.agentImage, now: () => clock.now(), signal: AbortSignal.any([context.signal, context.stopping]),
      });
      const stopAsking = askInTurn(calm, context.clock, (error) => { context.log.error({error}, 'Asking a calm cluster failed: this is a defect'); });
      return {
        reconcile: async (key) => await recoverer.reconcile(key),
        rests: (key) => calm.rests(keyText(key)),
        onPodEvent: (event) => { recoverer.onPod(event.object); },
        onLeading: () => {
          if (own !== undefined) void enqueueUnfinished({client, feed, clock, log, selection, own, enqueue: (key) => { context.enqueue(key); }, signal: context.signal});
        },
        close: () => {
          stopAsking();
          leaders.close();
          etcd.close();
        },
      };
    });
    // Sockets of ended calls may linger; the code must not wait for them.
    process.exit(code);
  }
}
