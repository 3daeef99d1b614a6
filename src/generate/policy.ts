import {apiVersion, kind, marks} from '../api/types.ts';

const ownedBySet = 'has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, o.kind == \'StatefulSet\' && has(o.controller) && o.controller)';

const ofThisRun = `(has(params.status.run) && has(object.metadata.annotations) && '${marks.run}' in object.metadata.annotations && object.metadata.annotations['${marks.run}'] == params.status.run.id)`;

const heldExpression = `!has(params.status) || !has(params.status.heldPods) || !(object.metadata.name in params.status.heldPods) || ${ofThisRun}`;

/** The message by which the operator knows its own policy's denial from any other. */
const heldMessage = '\'held by QuorumRecovery \' + params.metadata.name + \' during a recovery run: the pod starts when its turn comes (kubectl get qr \' + params.metadata.name + \')\'';

export const policyName = 'quorumrecovery-hold';

/**
 * The hold's second barrier (DESIGN section 5): closes the gap between the delete of an old pod and the create of the gated own pod.
 * `failurePolicy: Ignore`, because a broken policy must not stop a cluster's pods.
 */
export const holdPolicy = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: {name: policyName, annotations: {'helm.sh/resource-policy': 'keep'}},
  spec: {
    failurePolicy: 'Ignore',
    paramKind: {apiVersion, kind},
    matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods']}]},
    matchConditions: [{name: 'owned-by-a-stateful-set', expression: ownedBySet}],
    validations: [{expression: heldExpression, messageExpression: heldMessage, reason: 'Forbidden'}],
  },
};

/** Parameters are all QuorumRecovery in the pod's own namespace; none of them: the pod is admitted. */
export const holdBinding = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: {name: policyName, annotations: {'helm.sh/resource-policy': 'keep'}},
  spec: {policyName, paramRef: {selector: {}, parameterNotFoundAction: 'Allow'}, validationActions: ['Deny']},
};
