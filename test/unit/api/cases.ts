/** A spec, and whether it is good: for zod with our rules, and for the API server, which must agree. */
export interface SpecCase {
  title: string;
  spec: unknown;
  /** What the refusal must name; absent: the spec is good. */
  refused?: RegExp;
}

/** A change of a spec that was good: only the API server sees both. */
export interface UpdateCase {
  title: string;
  before: unknown;
  after: unknown;
  refused?: RegExp;
}

const target = {statefulSet: 'etcd'};
const lost = (pod: string, memberID = '8e9e05c52164694d') => ({pod, memberID});

export const specCases: readonly SpecCase[] = [
  {title: 'only the StatefulSet', spec: {target}},
  {title: 'no target', spec: {}, refused: /target/},
  {title: 'a target without StatefulSet', spec: {target: {}}, refused: /statefulSet/},
  {title: 'an empty name of the StatefulSet', spec: {target: {statefulSet: ''}}, refused: /statefulSet/},
  {title: 'a number as the name of the StatefulSet', spec: {target: {statefulSet: 3}}, refused: /statefulSet/},
  {title: 'a name of the StatefulSet that is too long', spec: {target: {statefulSet: 'e'.repeat(254)}}, refused: /statefulSet/},
  {title: 'a name of the StatefulSet of full length', spec: {target: {statefulSet: 'e'.repeat(253)}}},

  {title: 'a container', spec: {target: {...target, container: 'etcd'}}},
  {title: 'an empty container', spec: {target: {...target, container: ''}}, refused: /container/},
  {title: 'TLS with the usual keys', spec: {target: {...target, tls: {secretName: 'etcd-client-tls'}}}},
  {title: 'TLS with keys of its own', spec: {target: {...target, tls: {secretName: 's', caKey: 'ca.pem', certKey: 'c.pem', keyKey: 'k.pem'}}}},
  {title: 'TLS without Secret', spec: {target: {...target, tls: {caKey: 'ca.pem'}}}, refused: /secretName/},
  {title: 'TLS with an empty key', spec: {target: {...target, tls: {secretName: 's', caKey: ''}}}, refused: /caKey/},
  {title: 'authentication', spec: {target: {...target, auth: {secretName: 'etcd-root'}}}},
  {title: 'authentication without Secret', spec: {target: {...target, auth: {usernameKey: 'user'}}}, refused: /secretName/},
  {title: 'a launch with a command', spec: {target: {...target, launch: {command: ['etcd']}}}},
  {title: 'a launch with arguments', spec: {target: {...target, launch: {args: ['--data-dir=/data']}}}},
  {title: 'a launch with nothing in it', spec: {target: {...target, launch: {}}}, refused: /launch needs command or args/},
  {title: 'a launch with too many arguments', spec: {target: {...target, launch: {args: Array.from({length: 257}, () => 'a')}}}, refused: /args/},

  {title: 'a request', spec: {target, trigger: {request: '2026-01-31'}}},
  {title: 'the automatic trigger', spec: {target, trigger: {type: 'OnQuorumLoss'}}},
  {title: 'the automatic trigger with its times', spec: {target, trigger: {type: 'OnQuorumLoss', gracePeriod: '90s', cooldown: '1h30m', maxAttempts: 1}}},
  {title: 'a grace period that is no time', spec: {target, trigger: {type: 'OnQuorumLoss', gracePeriod: 'soon'}}, refused: /gracePeriod/},
  {title: 'a cooldown without a unit', spec: {target, trigger: {type: 'OnQuorumLoss', cooldown: '30'}}, refused: /cooldown/},
  {title: 'no attempt at all', spec: {target, trigger: {type: 'OnQuorumLoss', maxAttempts: 0}}, refused: /maxAttempts/},
  {title: 'lost members of a run that begins by itself', spec: {target, trigger: {type: 'OnQuorumLoss'}, lostMembers: [lost('etcd-0')]}, refused: /with trigger\.type OnQuorumLoss it needs approval: Required/},
  {title: 'lost members of a run that begins by itself and asks', spec: {target, approval: 'Required', trigger: {type: 'OnQuorumLoss'}, lostMembers: [lost('etcd-0')]}},
  {title: 'an unknown trigger', spec: {target, trigger: {type: 'Sometimes'}}, refused: /type/},
  {title: 'the one strategy that is there', spec: {target, strategy: 'ForceNewCluster'}},
  {title: 'an unknown strategy', spec: {target, strategy: 'Hope'}, refused: /strategy/},
  {title: 'no copy of the data', spec: {target, preserve: {mode: 'Skip'}}},
  {title: 'a VolumeSnapshot', spec: {target, preserve: {mode: 'VolumeSnapshot'}}},
  {title: 'a VolumeSnapshot of a class', spec: {target, preserve: {mode: 'VolumeSnapshot', volumeSnapshotClassName: 'fast'}}},
  {title: 'a VolumeSnapshotClass for a copy', spec: {target, preserve: {mode: 'Copy', volumeSnapshotClassName: 'fast'}}, refused: /volumeSnapshotClassName has a meaning only with preserve.mode: VolumeSnapshot/},
  {title: 'a VolumeSnapshotClass and no mode', spec: {target, preserve: {volumeSnapshotClassName: 'fast'}}, refused: /volumeSnapshotClassName has a meaning only with preserve.mode: VolumeSnapshot/},
  {title: 'an unknown way to preserve', spec: {target, preserve: {mode: 'Maybe'}}, refused: /mode/},

  {title: 'an approved plan', spec: {target, approval: 'Required', approvedPlan: `sha256-${'0'.repeat(32)}`}},
  {title: 'an approved plan where nobody is asked', spec: {target, approvedPlan: `sha256-${'0'.repeat(32)}`}, refused: /approvedPlan has a meaning only with approval: Required/},
  {title: 'an approved plan that is no hash', spec: {target, approval: 'Required', approvedPlan: 'yes'}, refused: /approvedPlan/},
  {title: 'an approval that is none', spec: {target, approval: 'Maybe'}, refused: /approval/},
  {title: 'a pause', spec: {target, paused: true}},
  {title: 'a pause in words', spec: {target, paused: 'yes'}, refused: /paused/},
  {title: 'a survivor of the set', spec: {target, survivor: {pod: 'etcd-2'}}},
  {title: 'a survivor with a high ordinal', spec: {target, survivor: {pod: 'etcd-112'}}},
  {title: 'a survivor of another set', spec: {target, survivor: {pod: 'other-2'}}, refused: /survivor\.pod must be a pod of target\.statefulSet/},
  {title: 'a survivor of a set with a longer name', spec: {target, survivor: {pod: 'etcd-events-2'}}, refused: /survivor\.pod must be a pod/},
  {title: 'a survivor without ordinal', spec: {target, survivor: {pod: 'etcd-'}}, refused: /survivor\.pod must be a pod/},
  {title: 'the set itself as survivor', spec: {target, survivor: {pod: 'etcd'}}, refused: /survivor\.pod must be a pod/},
  {title: 'a survivor of a set whose name ends in a number', spec: {target: {statefulSet: 'etcd-1'}, survivor: {pod: 'etcd-1-0'}}},
  {title: 'a survivor without pod', spec: {target, survivor: {}}, refused: /pod/},

  {title: 'a revision that clients may have seen', spec: {target, minRevision: 123_456}},
  {title: 'a revision below zero', spec: {target, minRevision: -1}, refused: /minRevision/},
  {title: 'a revision that is no whole number', spec: {target, minRevision: 1.5}, refused: /minRevision/},
  {title: 'a revision as text', spec: {target, minRevision: '100'}, refused: /minRevision/},
  {title: 'two lost members', spec: {target, lostMembers: [lost('etcd-0'), lost('etcd-1', '1')]}},
  {title: 'no lost members at all', spec: {target, lostMembers: []}},
  {title: 'a lost member without member ID', spec: {target, lostMembers: [{pod: 'etcd-0'}]}, refused: /memberID/},
  {title: 'a member ID in upper case', spec: {target, lostMembers: [lost('etcd-0', '8E9E05C52164694D')]}, refused: /memberID/},
  {title: 'a member ID with 0x', spec: {target, lostMembers: [lost('etcd-0', '0x8e9e05c5')]}, refused: /memberID/},
  {title: 'a member ID of 17 digits', spec: {target, lostMembers: [lost('etcd-0', '18e9e05c52164694d')]}, refused: /memberID/},
  {title: 'a lost member of another set', spec: {target, lostMembers: [lost('etcd-0'), lost('other-1')]}, refused: /every lostMembers\[\]\.pod must be a pod/},
  {title: 'the same lost member twice', spec: {target, lostMembers: [lost('etcd-0'), lost('etcd-0', '1')]}, refused: /lostMembers/},
  {title: 'the survivor among the lost', spec: {target, survivor: {pod: 'etcd-0'}, lostMembers: [lost('etcd-0')]}, refused: /survivor\.pod cannot be one of lostMembers/},
  {title: 'a survivor beside the lost', spec: {target, survivor: {pod: 'etcd-2'}, lostMembers: [lost('etcd-0'), lost('etcd-1')]}},
  {title: '16 lost members', spec: {target, lostMembers: Array.from({length: 16}, (_, n) => lost(`etcd-${n}`))}},
  {title: '17 lost members', spec: {target, lostMembers: Array.from({length: 17}, (_, n) => lost(`etcd-${n}`))}, refused: /lostMembers/},

  {title: 'canary keys', spec: {target, verification: {canaryKeys: ['ims_domain', '/registry/a']}}},
  {title: 'an empty canary key', spec: {target, verification: {canaryKeys: ['']}}, refused: /canaryKeys/},
  {title: 'no restart proof', spec: {target, verification: {restartProof: false}}},
  {title: 'a text in the place of a boolean', spec: {target, verification: {restartProof: 'no'}}, refused: /restartProof/},
  {title: 'a timeout of several units', spec: {target, verification: {timeout: '1h30m'}}},
  {title: 'a timeout without unit', spec: {target, verification: {timeout: '90'}}, refused: /timeout/},
  {title: 'a timeout with a fraction', spec: {target, verification: {timeout: '1.5h'}}, refused: /timeout/},
  {title: 'a number as timeout', spec: {target, verification: {timeout: 90}}, refused: /timeout/},
];

export const updateCases: readonly UpdateCase[] = [
  {title: 'a new request', before: {target}, after: {target, trigger: {request: 'again'}}},
  {title: 'lost members named later', before: {target}, after: {target, lostMembers: [lost('etcd-0')]}},
  {title: 'another Secret', before: {target: {...target, tls: {secretName: 'a'}}}, after: {target: {...target, tls: {secretName: 'b'}}}},
  {title: 'another StatefulSet', before: {target}, after: {target: {statefulSet: 'other'}}, refused: /target\.statefulSet cannot be changed/},
];
