import {EtcdAccess} from './observe/access.ts';
import {LeaderWatches} from './observe/leaderWatches.ts';
import {parseConfig} from './operator/config.ts';
import {parseKey} from './operator/keys.ts';
import {runOperator} from './operator/runtime.ts';
import {Recoverer} from './phases/reconciler.ts';
import {Reporter} from './phases/reporter.ts';

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
      const {metrics} = context;
      const etcd = new EtcdAccess({onProbe: ({result, cause, seconds}) => {
        metrics.probeDuration.observe({result}, seconds);
        if (cause !== undefined) metrics.probeFailures.inc({cause});
      }});
      const leaders = new LeaderWatches({
        onEnd: (key, pod, end) => {
          recoverer.onWatchEnd(key, pod, end);
          context.enqueue(parseKey(key));
        },
        onCounted: (why) => { metrics.leaderWatchEnds.inc({why}); },
      });
      metrics.observeWatches(() => leaders.size);
      const recoverer: Recoverer = new Recoverer({
        client: context.client, status: context.status, etcd, leaders, reporter: new Reporter(context.log, context.events, metrics),
        agentImage: context.config.agentImage, now: () => context.clock.now(), signal: AbortSignal.any([context.signal, context.stopping]),
      });
      return {
        reconcile: async (key) => await recoverer.reconcile(key),
        onPodEvent: (event) => { recoverer.onPod(event.object); },
        close: () => {
          leaders.close();
          etcd.close();
        },
      };
    });
    // Sockets of ended calls may linger; the code must not wait for them.
    process.exit(code);
  }
}
