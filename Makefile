# make run [ARGS="--listen 0.0.0.0:7880 --https"]   a demonstration school on this machine
# make test                                          everything CI runs
# make help                                          the rest

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export CARGO_TERM_COLOR ?= auto

# Of properties and of changed inputs: the same in every run, so that none fails by the luck of the dice. `make test-rust SEED=$$RANDOM` throws others.
SEED ?= 1
export PROPTEST_RNG_SEED := $(SEED)
export FUZZ_SEED := $(SEED)

# Where cargo builds: some people share one folder between checkouts.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
WEB := web-client
E2E := tests/e2e
WEB_SOURCES = $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

.PHONY: help run cluster release web test lint lint-rust lint-web deny test-rust test-web test-e2e e2e-binary fuzz fuzz-seeds interop bench bench-media bench-school bench-log bench-transfer bench-relay bench-join bench-network bench-voice bench-drain bench-saver bench-skew previous chaos clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: release ## build everything and start the demonstration school
	exec $(TARGET)/release/qism demo $(ARGS)

cluster: release ## three nodes behind HAProxy, with a private Redis and PostgreSQL, on loopback (PORT=7900 ARGS="--classes 6")
	tools/setup.sh postgres redis haproxy
	QISM_BINARY=$(TARGET)/release/qism exec tools/cluster $(or $(PORT),7900) $(ARGS)

release: web ## the program with the browser app inside: target/release/qism
	tools/setup.sh cc
	QISM_REQUIRE_WEB=1 cargo build --release --locked --workspace --bin qism

web: $(WEB)/dist/index.html ## the browser app: web-client/dist

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	cd $(WEB) && npm run build
	@touch $@

# npm writes this file last; a lock file that is newer means: install again.
%/node_modules/.package-lock.json: %/package-lock.json
	tools/setup.sh node
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: lint test-rust test-web test-e2e ## all checks and all tests

lint: lint-rust deny lint-web ## formatting, lints, dependencies

lint-rust:
	tools/setup.sh cc
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

deny:
	tools/setup.sh deny
	cargo deny check bans licenses sources

lint-web: $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && npm run lint && npm run types

test-rust: ## unit, scenario, integration and architecture tests
	tools/setup.sh cc postgres redis promtool
	tools/test-rust

test-web: web ## the browser app's unit tests and its budgets
	cd $(WEB) && npm test && npm run budget

# The unoptimized program, as the tests compile it (anything else would compile half of the dependencies anew), reading the app from
# web-client/dist: `make test` never builds a release.
e2e-binary:
	cargo test --workspace --locked --no-run

test-e2e: web e2e-binary $(E2E)/node_modules/.package-lock.json ## whole lessons in real browsers
	tools/setup.sh browsers namespaces turn postgres redis haproxy
	cd $(E2E) && npm test

interop: e2e-binary ## aiortc, GStreamer and FFmpeg in real lessons (installs them)
	tools/setup.sh interop
	tests/interop/run

fuzz: ## every reader of untrusted bytes under libFuzzer, FUZZ_SECONDS each (an hour): target/fuzz
	tools/setup.sh cxx
	tests/fuzz/run

fuzz-seeds: ## writes the seeds of the fuzz corpora anew
	python3 tests/fuzz/seeds.py

bench: ## chat and media, under 20 minutes: target/bench/summary.json
	tools/setup.sh cc strace namespaces janus
	cargo build --release --locked --workspace
	benches/run

bench-media: ## what a forwarded packet costs, beside Janus and the bare kernel, under 15 minutes: target/bench/summary.json (root)
	tools/setup.sh cc namespaces janus
	cargo build --release --locked --workspace
	benches/run --only media

bench-school: ## whole schools on one node: 10,250 people in 250 lessons, about ten minutes: target/bench/school.html (SCENARIO=benches/scenarios/school.toml)
	tools/setup.sh cc
	cargo build --release --locked --workspace
	benches/run --only school --scenario $(or $(SCENARIO),benches/scenarios/school.toml)

bench-log: ## how many events a second SQLite and PostgreSQL keep, and five nodes on one lesson, about two minutes: target/bench/summary.json
	tools/setup.sh cc postgres redis
	cargo build --release --locked --workspace
	benches/run --only log,nodes

bench-transfer: ## how long a thousand lessons take from one PostgreSQL database to another, two minutes: target/bench/summary.json
	tools/setup.sh cc postgres
	cargo build --release --locked --workspace
	benches/run --only transfer

bench-relay: ## what a packet costs that crosses to another node, and how many do, about two minutes: target/bench/summary.json
	tools/setup.sh cc
	cargo build --release --locked --workspace
	benches/run --only relay

bench-join: release $(E2E)/node_modules/.package-lock.json ## how fast Chromium joins at 30 % loss and at a round trip of 800 ms: target/bench/join.json (root)
	tools/setup.sh browsers namespaces
	cd $(E2E) && QISM_BINARY=$(TARGET)/release/qism node join.mjs

bench-network: release $(E2E)/node_modules/.package-lock.json ## how the voice finds another way when UDP is blocked or the address changes: target/bench/network.json (root)
	tools/setup.sh browsers namespaces
	cd $(E2E) && QISM_BINARY=$(TARGET)/release/qism node ways.mjs

bench-voice: release $(E2E)/node_modules/.package-lock.json ## how much of the voice Chromium misses at 10, 20, 30 % loss, on narrow and broken links: target/bench/voice.json (root)
	tools/setup.sh browsers namespaces
	cd $(E2E) && QISM_BINARY=$(TARGET)/release/qism node voice.mjs
	cd $(E2E) && QISM_BINARY=$(TARGET)/release/qism node link.mjs

bench-drain: release $(E2E)/node_modules/.package-lock.json ## how much of voice and picture a class misses when its server is ended: target/bench/drain.json
	tools/setup.sh browsers postgres redis haproxy
	cd $(E2E) && QISM_BINARY=$(TARGET)/release/qism node drain.mjs

bench-saver: release $(E2E)/node_modules/.package-lock.json ## what an hour of voice costs a student who saves data: target/bench/saver.json (root)
	tools/setup.sh browsers namespaces
	cd $(E2E) && QISM_BINARY=$(TARGET)/release/qism node saver.mjs

bench-skew: release $(E2E)/node_modules/.package-lock.json ## how far picture and voice are apart in Chromium while the picture changes its size: target/bench/skew.json (root)
	tools/setup.sh browsers namespaces
	cd $(E2E) && QISM_BINARY=$(TARGET)/release/qism node skew.mjs

# The program of the revision before, for lessons that both serve. It shares what is compiled of its dependencies.
target/previous/qism: tests/chaos/PREVIOUS $(WEB)/dist/index.html
	rm -rf target/previous
	mkdir -p target/previous/source
	git archive $$(cat tests/chaos/PREVIOUS) | tar -x -C target/previous/source
	cp -r $(WEB)/dist target/previous/source/web-client/dist
	cargo build --release --locked --workspace --bin qism --manifest-path target/previous/source/Cargo.toml --target-dir $(TARGET)
	mv $(TARGET)/release/qism $@

previous: target/previous/qism ## the program of the revision before, for `make chaos`

chaos: release target/previous/qism ## breaks a real cluster in every way that is promised to be survived, about 27 minutes (FAULT=name for one): target/bench/chaos.json (root)
	tools/setup.sh postgres redis haproxy namespaces faketime
	cargo build --release --locked --workspace
	$(TARGET)/release/qism-chaos --server $(TARGET)/release/qism $(FAULT)

clean: ## what builds made; downloads stay
	cargo clean
	rm -rf $(WEB)/dist target/bench
