import type {V1Container, V1PersistentVolumeClaim, V1Probe, V1StatefulSet} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../api/types.ts';
import {findContainer, membershipHooks, mountOf, readLaunch} from '../../etcd/launch/launch.ts';
import type {Launch} from '../../etcd/launch/launch.ts';
import {forceSupport, parseVersion, versionOfImage} from '../../etcd/versions.ts';
import type {SetFacts} from './facts.ts';
import {note, ok, problem, unknown} from './finding.ts';
import type {Finding} from './finding.ts';

export function launchOf({set, configMaps}: SetFacts, resource: QuorumRecovery | undefined): {launch: Launch; container: V1Container} | {problem: string} {
  const template = set.spec?.template ?? {};
  const found = findContainer(template.spec ?? {containers: []}, resource?.spec.target.container);
  if (!found.ok) return {problem: found.message};
  const {command, args} = resource?.spec.target.launch ?? {};
  const override = command === undefined && args === undefined ? undefined : {...(command && {command}), ...(args && {args})};
  const read = readLaunch({
    template, container: found.container.name, podName: `${set.metadata?.name ?? ''}-0`, namespace: set.metadata?.namespace ?? 'default',
    ...(set.spec?.serviceName && {serviceName: set.spec.serviceName}), ...(override && {launch: override}), configMaps: (name) => configMaps.get(name),
  });
  return read.ok ? {launch: read.launch, container: found.container} : {problem: read.message};
}

function version(launch: Launch): Finding {
  const tagged = versionOfImage(launch.image);
  if (tagged === undefined) return unknown('etcd version', `image ${launch.image} has no version tag`, 'use one: where no member answers, the tag is all that tells whether it can be forced');
  const text = `${tagged.major}.${tagged.minor}.${tagged.patch}`;
  const support = forceSupport(text);
  if (!support.supported) return problem('etcd version', support.why, `upgrade etcd: ${parseVersion(text)?.minor === 5 ? '3.5.22' : '3.6.1'} or later`);
  return support.leavesLearners ? note('etcd version', support.why, 'upgrade etcd to its newest patch') : ok('etcd version', support.why);
}

/** Asks for a quorum: a member without one, and a learner, fails it, and the kubelet kills what should be recovered. */
function asksQuorum(probe: V1Probe | undefined): string | undefined {
  const path = probe?.httpGet?.path;
  if (path !== undefined && /^\/health(\?|$)/.test(path) && !/serializable=true/i.test(path)) return `GET ${path}`;
  if (path !== undefined && /^\/readyz/.test(path)) return `GET ${path}`;
  const words = probe?.exec?.command?.join(' ') ?? '';
  return /etcdctl.*(endpoint health|\bget\b|\bput\b|member list)/.test(words) && !/consistency[= ]s\b/.test(words) ? words.slice(0, 80) : undefined;
}

function probes({livenessProbe, startupProbe}: V1Container): Finding {
  const live = asksQuorum(livenessProbe);
  const change = 'use GET /livez (etcd 3.5.11 or later), or /health?serializable=true';
  if (live !== undefined) return problem('Liveness probe', `${live} needs a quorum: without one the kubelet kills every member again and again, and a learner that joins as well`, change);
  const start = asksQuorum(startupProbe);
  if (start !== undefined) return problem('Startup probe', `${start} needs a quorum, which a learner that joins does not answer for: the kubelet kills it before it is promoted`, change);
  return ok('Probes', 'liveness and startup do not ask for a quorum');
}

function tls(launch: Launch, resource: QuorumRecovery | undefined): Finding[] {
  const secret = resource?.spec.target.tls?.secretName;
  const client = launch.clientTLS
    ? resource === undefined ? note('Client TLS', 'etcd serves TLS', 'make a Secret with a client certificate (ca.crt, tls.crt, tls.key), and name it in spec.target.tls.secretName (recover --tls-secret)')
      : secret === undefined ? problem('Client TLS', 'etcd serves TLS, and the QuorumRecovery names no Secret with a client certificate', 'set spec.target.tls.secretName') : ok('Client TLS', `by Secret ${secret}`)
    : secret === undefined ? ok('Client TLS', 'etcd serves plain text') : note('Client TLS', 'etcd serves plain text, but spec.target.tls is set', 'take it out, or see that etcd serves TLS');
  return [client, ok('Peer TLS', launch.peerTLS === undefined ? 'peers talk in plain text' : 'on: see that the certificates are valid for longer than a recovery takes')];
}

function storage(set: V1StatefulSet, launch: Launch): Finding[] {
  const spec = set.spec?.template.spec ?? {containers: []};
  const templates = (set.spec?.volumeClaimTemplates ?? []).map((claim: V1PersistentVolumeClaim) => claim.metadata?.name);
  return [['Data', launch.dataDir], ['WAL', launch.walDir]].flatMap(([area = '', path]): Finding[] => {
    if (path === undefined) return [];
    const mount = mountOf(spec, launch.container, path);
    if (mount !== undefined && templates.includes(mount.volume)) return [ok(area, `${path} is on claim ${mount.volume}`)];
    const empty = spec.volumes?.find((volume) => volume.name === mount?.volume)?.emptyDir !== undefined;
    return [problem(area, `${path} is on ${mount === undefined ? 'no volume: the container\'s own file system' : empty ? `the emptyDir ${mount.volume}` : `volume ${mount.volume}, which is of no claim template`}, and ends with its pod`, 'give the set a volumeClaimTemplate for it: a recovery has nothing to start from otherwise (DataNotOnClaim)')];
  });
}

/** How etcd is started, and what of it would get in the way. */
export function launchFindings(facts: SetFacts, resource: QuorumRecovery | undefined): Finding[] {
  const read = launchOf(facts, resource);
  if ('problem' in read) return [problem('Launch', read.problem, 'say how etcd is started: spec.target.launch (docs/usage/recover.md)')];
  const {launch, container} = read;
  const forced = launch.forceNewCluster ? [problem('Launch', 'the template starts etcd with --force-new-cluster: each restart throws the other members out', 'take the flag out of the StatefulSet')] : [];
  const hooks = membershipHooks(facts.set.spec?.template.spec ?? {containers: []}, launch.container).map(({container: name, where, what}) =>
    note('Hooks', `container ${name}: its ${where} changes the membership (${what})`, 'know that it still runs when an old pod is stopped; the run\'s own pods go without it'));
  return [...forced, version(launch), probes(container), ...tls(launch, resource), ...storage(facts.set, launch), ...hooks];
}
