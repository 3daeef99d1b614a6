import {stepsOfNoRun} from '../api/progress.ts';
import {apiVersion, kind, marks} from '../api/types.ts';

/** Name of the policy and of its binding. */
export const policyName = 'quorumrecovery-hold';

/** CEL for a map that may be absent: the value of a key, or the empty string. */
const valueIn = (map: string, key: string) => `has(object.metadata.${map}) && '${key}' in object.metadata.${map} ? object.metadata.${map}['${key}'] : ''`;

/**
 * Terms of the validations; each is evaluated once for a pod and a QuorumRecovery.
 * The StatefulSet controller creates every pod with one controller reference to its set (newStatefulSetPod,
 * Kubernetes pkg/controller/statefulset/stateful_set_utils.go); sets of other API groups (apps.kruise.io) are not ours.
 */
const variables = [
  {
    name: 'owned',
    expression: 'has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, '
      + 'o.kind == \'StatefulSet\' && o.apiVersion.startsWith(\'apps/\') && has(o.controller) && o.controller)',
  },
  {name: 'podRun', expression: valueIn('annotations', marks.run)},
  {name: 'podStep', expression: valueIn('annotations', marks.step)},
  {name: 'resource', expression: valueIn('labels', marks.resource)},
  {name: 'held', expression: 'has(params.status) && has(params.status.heldPods) ? params.status.heldPods : []'},
  {name: 'run', expression: 'has(params.status) && has(params.status.run) ? params.status.run.id : \'\''},
  {
    name: 'stepIsOver',
    expression: 'variables.run != \'\' && (has(params.status.run.finishedAt) '
      + '|| params.status.run.steps.exists(s, s.name == variables.podStep && s.state in [\'Done\', \'Deferred\', \'Failed\']))',
  },
  {name: 'runIsOver', expression: 'has(params.status) && has(params.status.history) && params.status.history.exists(h, h.id == variables.podRun)'},
];

/** A held name may only be taken by a pod of this very run. */
const holds = '!variables.owned || !(object.metadata.name in variables.held) || (variables.run != \'\' && variables.podRun == variables.run)';

/**
 * A helper pod of a run or step that is over comes from an operator that was deposed or paused in between.
 * Only what is known to be over is denied: an API server that has not seen the newest status yet must not stop the run itself. What
 * takes away the leavings of a run that is over touches nothing else.
 * What takes a backup is of no run, and may come in the middle of one, from an operator that is late: it cannot break the fencing, nor a hold. It starts no etcd
 * and mounts no volume of a member (kubernetes/backupPod.ts; decide/backup/backupSource.ts refuses a store on a member's claim), its name is no member's, no Service
 * selects it, and all it asks of a member is to read. With no quorum, as with no member at that address, it fails.
 */
const current = `variables.resource != params.metadata.name || variables.podStep in [${stepsOfNoRun.map((step) => `'${step}'`).join(', ')}] || `
  + '(variables.podRun == variables.run ? !variables.stepIsOver : !variables.runIsOver)';

const heldMessage = '\'held by QuorumRecovery \' + params.metadata.name + \' during a recovery run: the pod starts when its turn comes '
  + '(kubectl get quorumrecovery \' + params.metadata.name + \')\'';

const overMessage = '\'step \' + variables.podStep + \' of \' + variables.podRun + \' of QuorumRecovery \' + params.metadata.name '
  + '+ \' is over: an operator that does not lead any more asked for this pod\'';

const kept = {annotations: {'helm.sh/resource-policy': 'keep'}};

/**
 * The hold's second barrier (DESIGN section 5): closes the gap between the delete of an old pod and the create of the gated own pod.
 * `failurePolicy: Ignore`, because a broken policy must not stop a cluster's pods.
 */
export const holdPolicy = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: {name: policyName, ...kept},
  spec: {
    failurePolicy: 'Ignore',
    paramKind: {apiVersion, kind},
    matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods']}]},
    // Cheap, and asked first: most pods of a cluster are not looked at any further.
    matchConditions: [{
      name: 'of-a-stateful-set-or-of-a-recovery',
      expression: '(has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, o.kind == \'StatefulSet\')) '
        + `|| (has(object.metadata.labels) && '${marks.helper}' in object.metadata.labels)`,
    }],
    variables,
    validations: [
      {expression: holds, messageExpression: heldMessage, reason: 'Forbidden'},
      {expression: current, messageExpression: overMessage, reason: 'Forbidden'},
    ],
  },
};

/** Parameters are all QuorumRecovery in the pod's own namespace; none of them: the pod is admitted. */
export const holdBinding = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: {name: policyName, ...kept},
  spec: {policyName, paramRef: {selector: {}, parameterNotFoundAction: 'Allow'}, validationActions: ['Deny']},
};
