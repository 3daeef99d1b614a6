#!/bin/bash
# Today's runbook for an etcd StatefulSet of which every member's data is gone, as fast as a script can go through it with kubectl: what
# the operator's restore is measured against (make bench).
#
#   runbook.sh NAMESPACE SET STORE SNAPSHOT        e.g. runbook.sh default etcd backups newest.db
#
# It scales the StatefulSet to nothing, so that its controller starts no pod in between, makes the claims anew, restores the file SNAPSHOT of the
# claim STORE onto each by a pod of its own, all at once, and scales back. Nothing is copied to and fro: the pods mount the claim of the store.
#
# It believes its caller that the members are gone for good and that SNAPSHOT is sound and the right one (etcdutl compares its hash). It keeps no
# old data, proves nothing, and cannot go on where it was interrupted. Needs bash, kubectl, KUBECONFIG, and a node that runs TypeScript. The claim
# template is named "data", the container "etcd", and every node can mount the claim of the store.
set -euo pipefail
namespace=$1 set=$2 store=$3 snapshot=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
began=${EPOCHREALTIME/./}
note() { printf '%6d ms  %s\n' $(((${EPOCHREALTIME/./} - began) / 1000)) "$*" >&2; }
k() { kubectl -n "$namespace" "$@"; }

k get statefulset "$set" -o json >"$work/set.json"
replicas=$(k get statefulset "$set" -o 'jsonpath={.spec.replicas}')
pods=()
for ((ordinal = 0; ordinal < replicas; ordinal += 1)); do pods+=("$set-$ordinal"); done
helpers=("${pods[@]/%/-restore}")
node "$(dirname "$0")/manifests.ts" "$work" "$store" "$snapshot" &
manifests=$!

k scale statefulset "$set" --replicas=0 >/dev/null
# Nobody will confirm the end of pods whose nodes are gone. Their claims are bound to disks that are gone.
k delete pod "${pods[@]}" --grace-period=0 --force --ignore-not-found >"$work/delete.log" 2>&1
until [ "$(k get statefulset "$set" -o 'jsonpath={.status.replicas}')" = 0 ]; do sleep 0.1; done
note 'no pod is left, and none is made'
k delete persistentvolumeclaim "${pods[@]/#/data-}" --ignore-not-found >/dev/null
wait "$manifests"
k create -f "$work/restore.json" >/dev/null
note 'a pod for each member restores'

while :; do
  phases=$(k get pod "${helpers[@]}" -o 'jsonpath={range .items[*]}{.status.phase}{"\n"}{end}')
  case $phases in
    *Failed*)
      for helper in "${helpers[@]}"; do echo "$helper: $(k logs "$helper" 2>&1 | tail -3)" >&2; done
      exit 1
      ;;
  esac
  [ "$(grep -c Succeeded <<<"$phases" || true)" != "$replicas" ] || break
  sleep 0.1
done
note 'every member has its data'

k scale statefulset "$set" --replicas="$replicas" >/dev/null
k delete pod "${helpers[@]}" >/dev/null &
k rollout status statefulset "$set" --timeout=10m >"$work/rollout.log"
note 'every pod is ready'
wait
k exec "${pods[0]}" -c etcd -- etcdctl endpoint health --cluster >&2
k exec "${pods[0]}" -c etcd -- etcdctl endpoint hashkv --cluster >&2 || echo 'runbook: not every member told its hash in time; the meter compares them itself' >&2
