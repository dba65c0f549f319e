# Everything a developer runs. `make help` lists it. Needs Go and PostgreSQL 15 or newer (the programs, no running server).

# The tools, pinned here and nowhere else. They are run from the module cache and are no dependency of the product.
STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
WORKFLOWCHECK := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 20s
# How many inputs each decoder is fuzzed with by make test. A count, not a time: when a time is up, go test -fuzz may fail
# with "context deadline exceeded" though nothing was found (go.dev/issue/75804, mended in Go 1.27).
DECODERFUZZ ?= 5000x
TEMPORAL := devstack/temporal
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help pictures run demo bench build temporal test fmt-check vet lint fuzz fuzz-decoders clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## The whole product on embedded defaults with a phone that keeps calling, until Ctrl-C; keeps its data in .devstack. CRM=salesforce,espocrm names the fake CRMs
	@echo "compiling the devstack (the first time this downloads modules and takes a minute or two)"
	@CRM='$(CRM)' go run ./cmd/devstack run

demo: ## A fixed script of calls of every phone system into every kind of CRM through the whole product, from nothing to a table of what reached the CRMs
	@echo "compiling the devstack (the first time this downloads modules and takes a minute or two)"
	@go run ./cmd/devstack demo

bench: ## Figures (name value unit) next to the floors of the same machine; BENCH=decode: decode and fold alone, per phone system; BENCH=lists: lists and searches at a million calls
ifeq ($(BENCH),decode)
	@go test -run '^$$' -bench DecodeFold -cpu 1 ./cmd/callsync
else
	@go run ./cmd/devstack bench
endif

build: ## The product's binary, bin/callsync
	CGO_ENABLED=0 go build -trimpath -ldflags "-X github.com/callsync/callsync/internal/telemetry.Version=$(VERSION)" -o bin/callsync ./cmd/callsync

temporal:
	@echo "== build the embedded Temporal server (about 4 minutes on 2 cores the first time, then seconds)"
	@mkdir -p .devstack/bin
	@cd $(TEMPORAL) && go build -buildvcs=false -o ../../.devstack/bin/callsync-temporal . && go vet .

test: fmt-check vet temporal ## Everything: formatting, vet, unit tests and end-to-end tests on a real PostgreSQL and Temporal
	@echo "== go test ./... (the end-to-end tests start the whole stack)"
	@# The longest first, so that none runs alone at the end. What go test would vet has been vetted.
	@go test -vet=off -timeout 20m ./devstack ./admin ./activities ./...
	@$(MAKE) fuzz-decoders

pictures: ## Make docs/images anew, from the same data at the same moment; needs Chromium. Look at them before you commit them
	@go test ./admin -count=1 -run '^TestPictures$$' -timeout 15m -pictures "$(CURDIR)/docs/images"
	@du -sh docs/images

fmt-check:
	@echo "== gofmt"
	@files=$$(gofmt -l .); \
	if [ -n "$$files" ]; then echo "not formatted, run gofmt -w:"; echo "$$files"; exit 1; fi

vet:
	@echo "== go vet ./..."
	@go vet ./...

lint: fmt-check vet ## gofmt, go vet, staticcheck, and workflowcheck on the workflows
	@echo "== staticcheck"
	@go run $(STATICCHECK) ./...
	@# Not on the embedded server's module: it would analyse the server's 1,250 packages for our 400 lines.
	@echo "== workflowcheck"
	@go run $(WORKFLOWCHECK) $(addprefix -config ,$(wildcard workflows/workflowcheck.config.yaml)) ./workflows/...

# fuzz runs, one after the other, the fuzz tests below a folder whose names match. What they find stays in testdata/fuzz.
# On a busy machine a run for a short time may end while it makes an input smaller, which counts as a failure: those for a count do not.
# The last word is the folder that collects the inputs that reach new code.
define fuzz
	@set -e; grep -rlE '^func $(2)' --include='*_test.go' $(1) | xargs -n 1 dirname | sort -u | while read -r dir; do \
	  mkdir -p .devstack/fuzz; go test -vet=off -c -fuzz . -o "$(CURDIR)/.devstack/fuzz/fuzz.test" "./$$dir"; \
	  for name in $$(sed -nE 's/^func ($(2)[A-Za-z0-9_]*)\(.*/\1/p' "$$dir"/*_test.go); do \
	    echo "== $$name in $$dir for $(3)"; \
	    (cd "$$dir" && "$(CURDIR)/.devstack/fuzz/fuzz.test" -test.run '^$$' -test.fuzz "^$$name\$$" -test.fuzztime $(3) -test.fuzzminimizetime $(4) \
	      -test.parallel 2 -test.fuzzcachedir $(5)); \
	  done; \
	done
endef

fuzz: ## Every fuzz test for FUZZTIME (20s) each
	$(call fuzz,.,Fuzz,$(FUZZTIME),10x,"$$(go env GOCACHE)/fuzz/github.com/callsync/callsync/$$dir")
	@rm -rf .devstack/fuzz

# From the seeds each time: what earlier runs have collected would be run again first, and grows with every run.
fuzz-decoders: ## What reads phone systems' requests, for DECODERFUZZ (5000x) inputs each
	@rm -rf .devstack/fuzz
	$(call fuzz,telephony,Fuzz(Decode|Read),$(DECODERFUZZ),0x,"$(CURDIR)/.devstack/fuzz/$$dir")
	@rm -rf .devstack/fuzz

clean: ## Remove what make has made, and the data of make run
	rm -rf bin .devstack
