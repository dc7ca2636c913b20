# make run     install what is missing, build, start the service and print the page's address
# make test    install what is missing, build, lint, run every test, two at a time (root: it makes namespaces)
# make demo    block pings on a bridge in a namespace of its own, and show that it works
# make build   leave a ready .venv/bin/xdpwall       make bpf     compile the kernel programs only
# make lint    what CI lints                         make format  let the formatters write
# make fuzz    random rulesets and packets against a reference classifier, FUZZ_SECONDS=60
# make fuzz-large  10,000 generated rules of each kind x FUZZ_PACKETS=100000 against it
# make fuzz-lists  random address lists through both readers of them, FUZZ_SECONDS=60
# make fuzz-api    requests drawn from the service's own OpenAPI, good and bad, FUZZ_SECONDS=60
# make fuzz-guard   random rulesets x changes with a live session: none locks it out, GUARD_ROUNDS=1000
# make test-damage  a database damaged at DAMAGE_PLACES=200 places, each x status, a change, restore, a start
# make test-many-changes  CHANGES=10000 commits in a row: no descriptor, mapping, pin or disk space is left
# make test-kills  KILLS=10 processes killed at each point of changes on trial, under traffic
# make test-containers  a real Docker's container is restarted CONTAINER_RESTARTS=50 times, and its rule holds each time
# make test-planted  faults planted into PLANTED_RULES=10000 generated rules of each kind are found by check
# make docs    the documentation as a site, into build/site; and docs/reference anew out of the code
# make test-flows  FLOWS_FLOOD=8000000 spoofed SYNs, an hour in a full flow table, a minute of two CPUs at once
# make bench   measure                               make clean   remove everything that was built
# make test-kernels   test the programs on Debian's Linux 6.1 and 6.12, emulated
# make test-compilers   test the programs as clang 16, 19 and 22 compile them: CLANGS=19 for one
# make test-kernels-arm64   load, attach and the table of fields on Debian's arm64 kernel, emulated
# make test-drivers   attach to emulated network cards in every mode, on the same kernels
# make dist    sdist, wheel and bill of materials of the last commit, into dist/: the same bytes each time
# make deb     the Debian package, into dist/         make test-deb   and try it on a bare Debian
# make test-upgrade   from the previous commit's package to this one's and back, under traffic
# make test-boot   the package on an emulated machine: no ping is answered from power-on to login
# make oci     the folder of the container image, for docker build   make test-oci   and try it with a real Docker
# make check-fresh   every way to install it, in bare Debian 12 and 13: FRESH="bookworm --way deb" for some
# make test-machines   the Vagrantfile's machines made in bare Debian roots, and vagrant validate
# make install   with PREFIX=/usr/local: command, units, manual page, completion; make uninstall

VENV := .venv
BIN := $(VENV)/bin
# Debian's own Python first: what runs at boot should not hang on a toolchain in someone's home.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.1[1-9] /usr/bin/python3) python3)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: build bpf run test test-kernels test-drivers unit fuzz fuzz-large fuzz-lists fuzz-api fuzz-guard test-damage test-many-changes test-containers test-planted test-flows test-kills demo lint format bench docs pictures vendor clean packages packages-test dev

build: packages bpf $(VENV)/.installed

packages:
	@scripts/install-system-packages build

packages-test:
	@scripts/install-system-packages build test

$(BIN)/python: | packages
	$(PYTHON) -m venv $(VENV)

# An editable install: a changed file is live at once, and this runs again only for metadata.
$(VENV)/.installed: pyproject.toml setup.py | bpf $(BIN)/python
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev,docs]'
	touch $@

dev: packages-test bpf $(VENV)/.installed-dev

bpf: | packages
	@$(MAKE) --no-print-directory -C bpf

run: build
	@command -v xdpwall >/dev/null || echo "The command is $(abspath $(BIN))/xdpwall; make link puts it on the PATH."
	$(SUDO) $(BIN)/xdpwall serve

# The command for every shell, sudo's too, and its manual page; make unlink takes both away.
PREFIX ?= /usr/local
.PHONY: link unlink
link: build
	$(SUDO) mkdir -p $(PREFIX)/bin $(PREFIX)/share/man/man1
	$(SUDO) ln -sf $(abspath $(BIN))/xdpwall $(PREFIX)/bin/xdpwall
	$(BIN)/python -m xdpwall.cli.manual | $(SUDO) tee $(PREFIX)/share/man/man1/xdpwall.1 >/dev/null

unlink:
	$(SUDO) rm -f $(PREFIX)/bin/xdpwall $(PREFIX)/share/man/man1/xdpwall.1

# For hosts without apt: what the Debian package holds, below PREFIX; DESTDIR= for a tree of files.
WHEELS := build/wheel
.PHONY: install uninstall dist deb test-deb lock
install: packages
	rm -rf $(WHEELS)
	packaging/wheel $(WHEELS)
	$(SUDO) env DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) PYTHON=$(PYTHON) packaging/install $(WHEELS)/xdpwall-*.whl

uninstall:
	$(SUDO) env DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) packaging/uninstall

dist: dev
	rm -f dist/xdpwall-*.whl dist/xdpwall-*.tar.gz dist/xdpwall-*.cdx.json
	PYTHON=$(PYTHON) packaging/dist dist
	$(BIN)/python -m scripts.sbom dist
	@ls dist/xdpwall-*

deb:
	@scripts/install-system-packages build deb
	@deb=$$(packaging/deb/build dist) && lintian --allow-root --fail-on error,warning "$$deb" && echo "$$deb"

# Installed, booted with systemd, used, removed and purged, in namespaces of its own.
test-deb: dev
	@scripts/install-system-packages deb bare
	$(SUDO) $(BIN)/python -m scripts.test_deb

.PHONY: test-upgrade test-boot oci test-oci
test-boot: dev
	@scripts/install-system-packages deb bare kernels
	$(SUDO) $(BIN)/python -m scripts.test_boot

test-upgrade: dev
	@scripts/install-system-packages deb bare
	$(SUDO) $(BIN)/python -m scripts.test_upgrade

oci: dev
	@scripts/install-system-packages deb bare
	$(SUDO) $(BIN)/python -m scripts.oci build/oci
	@echo build/oci

test-oci: dev
	@scripts/install-system-packages deb bare
	$(SUDO) $(BIN)/python -m scripts.test_oci

# The README's commands, the package, make install and the wheel in bare roots: what these lacked, and how long.
FRESH ?=
.PHONY: check-fresh
check-fresh: dev
	@scripts/install-system-packages deb bare
	$(SUDO) $(BIN)/python -m scripts.check_fresh $(FRESH)

# What vagrant up does, in bare roots: no hypervisor, and no box can be downloaded.
.PHONY: test-machines
test-machines: dev
	@scripts/install-system-packages bare machines
	$(SUDO) $(BIN)/python -m scripts.test_machines

# The newest versions within pyproject.toml's ranges, with the hashes of their files.
lock: $(VENV)/.installed-ship
	$(BIN)/uv pip compile --quiet pyproject.toml --upgrade --universal --python-version 3.11 \
		--generate-hashes --custom-compile-command 'make lock' --output-file requirements.lock
	$(BIN)/uv pip compile --quiet packaging/build.in --upgrade --universal --python-version 3.11 \
		--generate-hashes --custom-compile-command 'make lock' --output-file packaging/build.lock
	$(BIN)/uv pip compile --quiet packaging/sbom.in --upgrade --universal --python-version 3.11 \
		--generate-hashes --custom-compile-command 'make lock' --output-file packaging/sbom.lock

$(VENV)/.installed-ship: $(VENV)/.installed-dev
	$(PIP) --editable '.[dev,ship]'
	touch $@

test: lint
	$(BIN)/python -m scripts.run_tests

# Random rulesets and frames against the reference classifier; what fails is shrunk and kept.
FUZZ_SECONDS ?= 60
fuzz: dev
	$(BIN)/python -m tests.fuzz.rulesets --seconds $(FUZZ_SECONDS) --seed $$(date +%s)

FUZZ_PACKETS ?= 100000
fuzz-large: dev
	$(BIN)/python -m tests.fuzz.large_rulesets --packets $(FUZZ_PACKETS)

fuzz-lists: dev
	$(BIN)/python -m tests.fuzz.lists --seconds $(FUZZ_SECONDS)

fuzz-api: dev
	$(BIN)/python -m tests.fuzz.api --seconds $(FUZZ_SECONDS)

GUARD_ROUNDS ?= 1000
fuzz-guard: dev
	$(BIN)/python -m tests.fuzz.lock_out --rounds $(GUARD_ROUNDS) --seed $$(date +%s)

# make test has 2,000 of them.
PLANTED_RULES ?= 10000
test-planted: dev
	PLANTED_RULES=$(PLANTED_RULES) $(BIN)/python -m pytest tests/unit/check/test_planted.py

# make test has a few of them.
DAMAGE_PLACES ?= 200
test-damage: dev
	DAMAGE_PLACES=$(DAMAGE_PLACES) $(BIN)/python -m pytest tests/firewall/test_damage.py

# make test has five.
CONTAINER_RESTARTS ?= 50
test-containers: dev
	CONTAINER_RESTARTS=$(CONTAINER_RESTARTS) $(BIN)/python -m pytest -s tests/e2e/test_container_restarts.py

# make test has 300 of them.
CHANGES ?= 10000
test-many-changes: dev
	CHANGES=$(CHANGES) $(BIN)/python -m pytest tests/firewall/test_rollback.py -k many_changes

# make test has 400,000 packets, four minutes, three seconds, and a part of the NAT lab's cases.
FLOWS_FLOOD ?= 8000000
test-flows: dev
	FLOWS_FLOOD=$(FLOWS_FLOOD) FLOWS_MINUTES=60 FLOWS_SECONDS=60 FLOWS_EVERY=1 FLOWS_PACKETS=30000 $(BIN)/python -m pytest \
		tests/flows tests/packets/test_flows_*.py tests/judge/test_scans.py tests/judge/test_nat*.py

# make test kills three.
KILLS ?= 10
test-kills: dev
	KILLS=$(KILLS) $(BIN)/python -m pytest tests/firewall/test_trials_under_traffic.py

# What depends on the kernel, on others than the running one: make test-kernels KERNELS=6.1
KERNELS ?= 6.1 6.12
test-kernels: $(VENV)/.installed-kernels dev
	$(BIN)/python -m scripts.test_kernels $(KERNELS)

# What depends on the compiler, with others than the one there is.
CLANGS ?= 16 19 22
.PHONY: test-compilers
test-compilers: dev
	@scripts/install-system-packages compilers
	$(SUDO) $(BIN)/python -m scripts.test_compilers $(CLANGS)

# Another processor, emulated whole: an hour at most. make test-kernels-arm64 SERIES=6.12
SERIES ?= 6.1
.PHONY: test-kernels-arm64
test-kernels-arm64: dev
	@scripts/install-system-packages arm64
	$(BIN)/python -m scripts.test_kernels_arm64 $(SERIES)

# Real drivers, on QEMU's cards, in every mode: make test-drivers KERNELS=6.12
test-drivers: $(VENV)/.installed-kernels dev
	$(SUDO) $(BIN)/python -m scripts.test_drivers $(KERNELS)

$(VENV)/.installed-kernels: $(VENV)/.installed-dev
	@scripts/install-system-packages kernels
	$(PIP) --editable '.[dev,kernels]'
	touch $@

# A part of the tests: make unit TESTS="tests/api -k token"
TESTS ?= tests/unit
unit: dev
	$(BIN)/python -m pytest $(TESTS)

demo: build
	@scripts/install-system-packages demo
	$(SUDO) $(BIN)/python scripts/demo.py

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	clang-format --dry-run --Werror $(wildcard bpf/*.[ch] xdpwall/trace/*.c)
	$(BIN)/mypy

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	clang-format -i $(wildcard bpf/*.[ch] xdpwall/trace/*.c)

# Strict: a page in no menu, a link or an anchor that leads nowhere is an error.
docs: dev
	$(BIN)/python -m scripts.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

# The page's third-party files, fetched anew as pinned (needs npm; the result is committed).
vendor:
	scripts/vendor.sh

# The pictures of the README, drawn from the running page under traffic.
pictures: dev
	XDPWALL_PICTURES=docs/images $(BIN)/python -m pytest -q tests/web/test_pictures.py

bench: dev
	$(BIN)/python -m bench
	$(BIN)/python -m bench.changes.events
	$(BIN)/python -m bench.state
	$(BIN)/python -m bench.packets.syn_answers

clean:
	$(MAKE) --no-print-directory -C bpf clean
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
