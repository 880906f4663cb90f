# `make demo` and `make test` do all set-up themselves; `make setup` makes .venv alone.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SYSTEM_PACKAGES := xvfb xauth libegl1 libgl1 libopengl0 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 \
	libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-xinerama0 \
	libxcb-shape0 libxcb-xfixes0 libdbus-1-3 libfontconfig1 fonts-dejavu-core
XVFB := xvfb-run -a -s "-screen 0 1920x1200x24 +extension GLX"
# A CPU build is enough for everything here; override for CUDA.
TORCH ?= torch==2.13.0

.PHONY: setup system test lint demo bench clean help

help:
	@echo "make demo    open the window on the demo scene (a scripted tour where there is no display)"
	@echo "make test    lint, type check and tests"
	@echo "make bench   benchmarks against peers, as ratios"
	@echo "make setup   only make the virtual environment .venv"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@tools/system-packages.sh python
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade "pip>=25.1"
	$(BIN)/python -m pip install -q -c constraints.txt "$(TORCH)"
	$(BIN)/python -m pip install -q -c constraints.txt -e . --group dev
	touch $@

system:
	@tools/system-packages.sh $(SYSTEM_PACKAGES)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup system lint
	$(XVFB) $(BIN)/python -m pytest $(ARGS)

demo: setup system
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then $(BIN)/splatscope demo; \
	else $(XVFB) $(BIN)/splatscope demo --tour demo-out && ls -l demo-out; fi

bench: setup
	for name in ply formats render sweep train neuralgs; do $(BIN)/python -m tests.benchmarks.bench_$$name || exit; done
	for name in splats window; do $(XVFB) $(BIN)/python -m tests.benchmarks.bench_$$name || exit; done

clean:
	rm -rf $(VENV) demo-out .pytest_cache .mypy_cache .ruff_cache
