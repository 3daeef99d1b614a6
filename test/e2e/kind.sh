#!/bin/bash
# The end-to-end cases in a kind cluster: builds the operator's image with Docker, loads it, runs `make e2e`.
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
OPERATOR_IMAGE="$image" ETCD_IMAGE="${ETCD_IMAGE:-quay.io/coreos/etcd:v3.6.16}" node_modules/.bin/node test/e2e/main.ts
echo "The kind cluster $name is left up; end it with: kind delete cluster --name $name"
