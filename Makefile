SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
NODE := node_modules/.bin/node
LAB ?= lab
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help
help: ## Show this help
	@grep -E '^[a-z][a-zA-Z0-9_-]*:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

.PHONY: deps
deps: node_modules/.installed ## Install the npm packages

.PHONY: generate
generate: deps ## Write crds/, deploy/ and the chart's generated parts from src/api
	$(NODE) src/generate/main.ts

.PHONY: check
check: deps ## Types, lint, freshness of the generated files
	tsc --noEmit
	eslint src test
	$(NODE) src/generate/main.ts --check

.PHONY: test-unit
test-unit: deps ## Unit tests
	mocha 'test/unit/**/*.test.ts'

.PHONY: test-invariants
test-invariants: deps ## One test for each invariant; with real etcd where ETCD_BINS names binaries
	mocha 'test/invariants/**/*.test.ts'

.PHONY: simulate
simulate: deps ## Kill the simulated operator at random (SCHEDULES=n SEED=s)
	mocha 'test/simulation/**/*.test.ts'

.PHONY: lab
lab: deps ## Start the lab: a real Kubernetes on this machine
	$(NODE) test/lab/main.ts up --name $(LAB)

.PHONY: lab-down
lab-down: deps ## End the lab and everything in it
	$(NODE) test/lab/main.ts down --name $(LAB)

.PHONY: lab-status
lab-status: deps ## Show the lab
	$(NODE) test/lab/main.ts status --name $(LAB)

.PHONY: demo
demo: deps ## Break an etcd cluster for real and recover it
	$(NODE) test/demo/main.ts

.PHONY: e2e
e2e: deps ## End-to-end tests, in the lab or in the cluster that KUBECONFIG names (CASES=pattern)
	$(NODE) test/e2e/main.ts

.PHONY: soak
soak: deps ## Random faults on three watched clusters in the lab, invariants and leaks checked (MINUTES=n SEED=s)
	$(NODE) test/soak/main.ts

.PHONY: kind
kind: deps ## The end-to-end tests in a kind cluster, where Docker is
	test/e2e/kind.sh

.PHONY: test
test: deps ## Everything that CI runs: check, unit, invariants, simulation, end to end
	$(NODE) test/run.ts

.PHONY: test-all
test-all: deps ## All of that, with the end-to-end cases that show a capability from one more side, and 20,000 schedules
	EXTENDED=1 SCHEDULES=$${SCHEDULES:-20000} $(NODE) test/run.ts

.PHONY: bench
bench: deps ## Recovery and restore by the operator against scripted runbooks (ONLY=restore RUNS=n)
	$(NODE) test/bench/main.ts

.PHONY: bench-loss
bench-loss: deps ## Acknowledged writes lost by the operator and by a plain force (RUNS=n SEED=s)
	$(NODE) test/bench/lost-writes/main.ts

.PHONY: bench-scale
bench-scale: deps ## What watching many clusters costs, and how soon a loss is suspected (CLUSTERS=10,100,1000)
	$(NODE) test/bench/scale/main.ts

.PHONY: bench-hand-over
bench-hand-over: deps ## How long nobody leads when the leader of two replicas ends (ROUNDS=n)
	$(NODE) test/bench/hand-over.ts

.PHONY: bench-help
bench-help: deps ## How long the plugin takes for its help (ROUNDS=n PLUGIN_NODE=path)
	$(NODE) test/bench/help.ts
