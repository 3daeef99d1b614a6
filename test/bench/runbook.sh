#!/bin/bash
# Today's runbook for an etcd StatefulSet that has lost its quorum for good, as fast as a script can go through it with kubectl
# and etcdctl: what the operator is measured against (make bench).
#
#   runbook.sh NAMESPACE SURVIVOR LOST...        e.g. runbook.sh default etcd-1 etcd-0 etcd-2
#
# It takes the StatefulSet's object out of the way (its pods and claims stay), so that no controller starts a pod in between,
# copies the survivor's data, forces it in a helper pod, starts the survivor's pod without the flag, adds the others one at a
# time as learners with fresh claims, and at the end gives the StatefulSet back, which adopts the pods that are there.
#
# It believes its caller that the lost nodes are gone for good and that SURVIVOR has the best data. It proves nothing and
# cannot go on where it was interrupted: while it runs there is no StatefulSet.
# Needs bash, kubectl, KUBECONFIG, and a node that runs TypeScript. The claim template is named "data", the container "etcd".
set -euo pipefail
namespace=$1 survivor=$2
shift 2
lost=("$@")
set=${survivor%-*}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
began=${EPOCHREALTIME/./}
note() { printf '%6d ms  %s\n' $(((${EPOCHREALTIME/./} - began) / 1000)) "$*" >&2; }
k() { kubectl -n "$namespace" "$@"; }
create() { k create -f "$work/$1.json" >/dev/null; }
etcdctl() { k exec "$survivor" -c etcd -- etcdctl "$@"; }
peer_url() { echo "http://$1.$set.$namespace.svc:2380"; }

k get statefulset "$set" -o json >"$work/set.json"
node "$(dirname "$0")/runbook-manifests.ts" "$work" "$survivor" "${lost[@]}" &
manifests=$!
k delete statefulset "$set" --cascade=orphan >/dev/null
note 'the StatefulSet is out of the way'

# Nobody will confirm the end of pods whose nodes are gone. Their claims are bound to disks that are gone.
k delete pod "${lost[@]}" --grace-period=0 --force --ignore-not-found >"$work/delete.log" 2>&1 &
forgotten=$!
k delete pod "$survivor" >/dev/null
wait "$forgotten" "$manifests"
note 'every pod is stopped'

create force
k delete persistentvolumeclaim "${lost[@]/#/data-}" --ignore-not-found >/dev/null &
emptied=$!
until k exec "$survivor-force" -c etcd -- etcdctl --command-timeout=2s put runbook/forced yes >"$work/put.log" 2>&1; do sleep 0.1; done
members=$(k exec "$survivor-force" -c etcd -- etcdctl member list | wc -l)
[ "$members" = 1 ] || { echo "the forced etcd lists $members members instead of one" >&2; exit 1; }
note 'the data is copied and forced: one member, which accepts writes'
k delete pod "$survivor-force" >/dev/null

create "$survivor"
until etcdctl --command-timeout=2s put runbook/writable yes >"$work/put.log" 2>&1; do sleep 0.1; done
note "$survivor serves alone, without the flag"

wait "$emptied"
for pod in "${lost[@]}"; do
  # Refused while the member that joined before is not yet known as healthy.
  until etcdctl member add "$pod" --learner --peer-urls="$(peer_url "$pod")" >"$work/add.log" 2>&1; do sleep 0.2; done
  create "$pod"
  note "$pod is added as learner"
  id=$(etcdctl member list | grep -F "$(peer_url "$pod")" | cut -d, -f1)
  until etcdctl member promote "$id" >"$work/promote.log" 2>&1; do sleep 0.2; done
  note "$pod is a voter"
done

# The same template has the same revision: the pods that are there are adopted, and none is restarted.
create set-again
until [ "$(k get statefulset "$set" -o 'jsonpath={.status.replicas}')" = "$((${#lost[@]} + 1))" ]; do sleep 0.1; done
note 'the StatefulSet owns its pods again'
etcdctl endpoint hashkv --cluster >&2 || echo "runbook: not every member told its hash in time; the meter compares them itself"
