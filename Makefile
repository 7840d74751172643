# What a contributor types. Each target installs what it needs, and says what.

CACHE      := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubectl-rotate
LINT       := $(CACHE)/tools/golangci-lint-2.15.0
FREEZE     := $(CACHE)/tools/freeze-0.2.2
VULN       := $(CACHE)/tools/govulncheck-1.9.0
CLUSTER    := go run -C test/cluster .
KUBECONFIG_CLUSTER := $(CURDIR)/.cluster/kubeconfig
GO_FILES   := $(shell git ls-files -co --exclude-standard '*.go' go.mod go.sum)

.DEFAULT_GOAL := help
.PHONY: help build demo test unit search e2e bench soak fuzz docs reference pictures lint vuln cluster-up cluster-down platform

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: bin/kubectl-rotate ## build the plugin into bin/, as it is released

bin/kubectl-rotate: $(GO_FILES)
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $@ ./cmd/kubectl-rotate

demo: platform build ## rotate the password of a real PostgreSQL under load, from nothing
	go run ./test/demo --kubeconfig $(KUBECONFIG_CLUSTER)

test: ## every test that gates a change, one kind after the other: what counts requests has the machine to itself
	@$(MAKE) unit
	@$(MAKE) search
	@$(MAKE) e2e

COUNTING := ./test/platform/backend

unit: packages ## unit tests with the race detector, against real servers where they say so
	go test -race -short -timeout 40m $$(go list ./... | grep -v -e /test/e2e$$ -e $(COUNTING:.%=%)$$)
	go test -race -timeout 10m $(COUNTING)
	go test -C test/cluster ./...

search: ## walk every order of events around a rotation: about three minutes
	CGO_ENABLED=0 go test -timeout 40m -v -run 'TestEveryOrderOfEvents|TestSabotageIsNoticed' ./pkg/rotationtest

e2e: images packages ## what a user would see, on a real cluster
	CGO_ENABLED=0 KUBECTL_ROTATE_KUBECONFIG=$(KUBECONFIG_CLUSTER) go test -p 2 -timeout 20m ./pkg/kube ./pkg/kubehistory ./pkg/kubesecret ./pkg/lease ./pkg/workload
	CGO_ENABLED=0 KUBECTL_ROTATE_KUBECONFIG=$(KUBECONFIG_CLUSTER) go test -p 1 -parallel 2 -timeout 80m ./test/platform/deploy ./test/e2e

TARGETS ?= postgres postgres-brief redis jwt emergency-jwt

bench: images build ## measure a rotation beside a bare restart, and start-up beside kubectl's; fails where a bound is missed
	@go build -o bin/bench ./test/bench
	@missed=0; for target in $(TARGETS); do \
		echo "$$target:"; bin/bench --kubeconfig $(KUBECONFIG_CLUSTER) --target $$target || missed=1; \
	done; exit $$missed

SOAK_DIR := $(CURDIR)/.soak
SOAK     ?= 30m

soak: packages ## what takes long: rotations disturbed at random for SOAK (30m), and every fault in its turn, on a cluster of their own
	$(CLUSTER) --dir $(SOAK_DIR) up
	go run ./test/platform images --cluster $(SOAK_DIR)
	KUBECTL_ROTATE_KUBECONFIG=$(SOAK_DIR)/kubeconfig KUBECTL_ROTATE_CLUSTER=$(SOAK_DIR) KUBECTL_ROTATE_SOAK=$(SOAK) \
		sh -c 'go test -count=1 -v -timeout 60m -run TestSoak ./test/e2e && go test -count=1 -v -parallel 2 -timeout 90m -skip TestSoak ./test/e2e'; \
		ended=$$?; $(CLUSTER) --dir $(SOAK_DIR) down; exit $$ended

FUZZTIME ?= 30s

fuzz: ## every fuzz target, for FUZZTIME each (30s); what one finds stays in its testdata/fuzz
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z]*' pkg | sed 's|/[^/]*:func | |' | while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "./$$package" || exit 1; \
	done

docs: reference pictures ## write docs/reference and docs/images anew

reference: ## the commands from their help, the targets file and its JSON Schema from the types
	go test -count=1 -run 'Reference|SchemaInDocs' ./pkg/cli ./pkg/config -update

pictures: $(FREEZE) images packages ## what the screen shows of a rotation that takes place for it
	@captured=$$(mktemp -d) && trap 'rm -r "$$captured"' EXIT && \
	KUBECTL_ROTATE_PICTURES=$$captured KUBECTL_ROTATE_KUBECONFIG=$(KUBECONFIG_CLUSTER) go test -count=1 -run TestPictures ./test/e2e && \
	for p in "$$captured"/*.ansi; do \
		$(FREEZE) "$$p" --language ansi --font.family 'DejaVu Sans Mono, Menlo, Consolas, monospace' --padding 20 --border.radius 8 \
			-o docs/images/$$(basename "$$p" .ansi).svg || exit 1; \
	done

$(FREEZE):
	@echo "installing freeze 0.2.2 into $(CACHE)/tools, once"
	@mkdir -p $(CACHE)/tools
	GOBIN=$(CACHE)/tools go install github.com/charmbracelet/freeze@v0.2.2
	@mv $(CACHE)/tools/freeze $@

lint: $(LINT) ## vet, staticcheck, and who may import whom
	$(LINT) run ./...
	cd test/cluster && $(LINT) run ./...

$(LINT):
	@echo "installing golangci-lint 2.15.0 into $(CACHE)/tools (a few minutes, once)"
	@mkdir -p $(CACHE)/tools
	GOBIN=$(CACHE)/tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	@mv $(CACHE)/tools/golangci-lint $@

VULNDB ?=

vuln: $(VULN) ## known vulnerabilities in what is built; VULNDB is a database's folder or URL (the Go module proxy's)
	@go run ./test/vuln --govulncheck $(VULN) --db '$(VULNDB)' ./...

$(VULN):
	@echo "installing govulncheck 1.9.0 into $(CACHE)/tools, once"
	@mkdir -p $(CACHE)/tools
	GOBIN=$(CACHE)/tools go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
	@mv $(CACHE)/tools/govulncheck $@

cluster-up: ## bring up a real one-node Kubernetes in .cluster/ (Debian, root)
	$(CLUSTER) up

cluster-down: ## end it and remove everything of it
	$(CLUSTER) down

images: cluster-up # what pods run on it
	go run ./test/platform images

platform: images ## put the runbook's platform on it
	go run ./test/platform up --kubeconfig $(KUBECONFIG_CLUSTER)

.PHONY: packages images
packages: # the servers that tests start
	@for p in postgresql-15 pgbouncer redis-server redis-sentinel prometheus tmux; do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	 command -v npm >/dev/null || missing="$$missing npm"; \
	 [ -z "$$missing" ] || { echo "installing Debian packages:$$missing"; apt-get update -qq && apt-get install -y --no-install-recommends $$missing; }
	@go run ./pkg/postgres/postgrestest/fetch
	@go run ./pkg/redisacl/redistest/fetch
