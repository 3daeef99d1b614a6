#!/bin/bash
# The end-to-end cases in a kind cluster: builds the operator's image with Docker, loads it, routes the pod networks, runs `make e2e`.
# Cases that end nodes or processes need the lab and are skipped here, each with its reason.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
for command in docker kind kubectl helm; do
  command -v "$command" >/dev/null || { echo "make kind needs $command, which is not installed. Without Docker, 'make e2e' starts the lab on Linux as root." >&2; exit 2; }
done
docker info >/dev/null 2>&1 || { echo "make kind needs a running Docker engine. Without Docker, 'make e2e' starts the lab on Linux as root." >&2; exit 2; }
name=quorum-recovery
image=quorum-recovery-operator:kind
docker build -t "$image" .
kind get clusters | grep -qx "$name" || kind create cluster --name "$name" --config test/e2e/kind.yaml --wait 120s
kind load docker-image --name "$name" "$image"
KUBECONFIG=$(mktemp)
export KUBECONFIG
kind get kubeconfig --name "$name" >"$KUBECONFIG"
# The tests speak with etcd in its pods; kind's nodes are reachable from here, the pods behind them by these routes.
kubectl get nodes -o jsonpath='{range .items[*]}{.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}' |
  while read -r network node; do ip route replace "$network" via "$node"; done
OPERATOR_IMAGE="$image" node_modules/.bin/node test/e2e/main.ts
echo "The kind cluster $name is left up; end it with: kind delete cluster --name $name"
