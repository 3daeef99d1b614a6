/** `3.6.16`, `v3.6.16`, `3.6.0-rc.1`; a pre-release counts as before its release. */
export interface Version {
  major: number;
  minor: number;
  patch: number;
  preRelease: string | undefined;
}

export function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(text.trim());
  if (match === null) return undefined;
  return {major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]), preRelease: match[4]};
}

/**
 * The version in an image's tag, e.g. `quay.io/coreos/etcd:v3.6.16-arm64` or `registry.k8s.io/etcd:3.6.5-0`; undefined for
 * tags that are none. A tag is a claim: what the member itself says comes first. Suffixes of a build are no pre-release.
 */
export function versionOfImage(image: string): Version | undefined {
  const tag = /:([^/:@]+)(?:@.*)?$/.exec(image)?.[1];
  const parsed = tag === undefined ? undefined : parseVersion(tag);
  if (parsed === undefined) return undefined;
  return /^(alpha|beta|rc)/.test(parsed.preRelease ?? '') ? parsed : {...parsed, preRelease: undefined};
}

/** Negative: `a` is older. */
export function compareVersions(a: Version, b: Version): number {
  const pre = (version: Version): number => (version.preRelease === undefined ? 1 : 0);
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch || pre(a) - pre(b);
}

/** Versions in which members join as learners the way that the operator knows. */
export function canReplace(version: string): boolean {
  const parsed = parseVersion(version);
  return parsed !== undefined && isKnownVersion(parsed) && parsed.minor >= 5;
}

/** Versions whose etcdutl can leave revisions out when it restores a snapshot (CHANGELOG-3.5: 3.5.10). */
export function canRestore(version: string): boolean {
  const parsed = parseVersion(version);
  return parsed !== undefined && isKnownVersion(parsed) && (parsed.minor > 5 || (parsed.minor === 5 && parsed.patch >= 10));
}

/**
 * Versions whose own database can be started from, and joined: before 3.5.20 a member that was promoted stays a learner in its database (etcd issue
 * 19557), so that nobody could tell a voter's, and those that join would be learners there for good.
 */
export function canFallBack(version: string): boolean {
  const parsed = parseVersion(version);
  return parsed !== undefined && canRestore(version) && (parsed.minor > 5 || parsed.patch >= 20);
}

export interface ForceSupport {
  /** Whether `--force-new-cluster` can be trusted; where not, the survivor's backend is restored instead. */
  supported: boolean;
  /** One sentence for the plan. */
  why: string;
  /** A raft snapshot can bring learners back into the list, so that the list must be checked after the force. */
  leavesLearners: boolean;
}

interface Line {
  /** First patch that commits the backend's consistent index before forcing (etcd issues 20009 and 20047). */
  forceFrom: number;
  /** First patch that also drops learners which stand in a raft snapshot (etcd issues 20893 and 20896). */
  learnersFrom: number;
}

const lines: Readonly<Record<string, Line>> = {
  '3.5': {forceFrom: 22, learnersFrom: 25},
  '3.6': {forceFrom: 1, learnersFrom: 6},
  '3.7': {forceFrom: 0, learnersFrom: 0},
};

/** Minor versions that the operator knows: all of 3.5 to 3.7, and 3.4 as far as its tools allow. */
export function isKnownVersion(version: Version): boolean {
  return version.major === 3 && version.minor >= 4 && version.minor <= 7;
}

/** Whether this version of etcd can be forced into a new cluster without leaving members of the old one behind. */
export function forceSupport(version: string): ForceSupport {
  const parsed = parseVersion(version);
  if (parsed === undefined) return no(`"${version}" is no etcd version that is known`);
  const name = `${parsed.major}.${parsed.minor}`;
  const line = lines[name];
  if (line === undefined) {
    return no(parsed.major === 3 && parsed.minor <= 4
      ? `etcd ${version} may leave members of the old cluster behind when it is forced, and this was never fixed in ${name}`
      : `etcd ${version} is not known to this operator, which knows 3.5, 3.6 and 3.7`);
  }
  const first: Version = {...parsed, patch: line.forceFrom, preRelease: undefined};
  if (compareVersions(parsed, first) < 0 && !(line.forceFrom === 0 && parsed.patch === 0)) {
    return no(`etcd ${version} may leave members of the old cluster behind when it is forced; fixed in ${name}.${line.forceFrom}`);
  }
  const leavesLearners = parsed.patch < line.learnersFrom;
  const note = leavesLearners ? `; a learner of the old cluster may stay in the list (fixed in ${name}.${line.learnersFrom})` : '';
  return {supported: true, why: `etcd ${version} can be forced${note}`, leavesLearners};
}

function no(why: string): ForceSupport {
  return {supported: false, why, leavesLearners: true};
}
