# `make` alone prints what there is. Settings are given on the same line:
#   make book DATA_ROOT=path/to/mvtec WEIGHTS=path/to/weights LAYERS=layer2

PYTHON ?= python3
VENV ?= .venv
CATEGORIES ?= metal_nut screw
MODELS ?=
SEEDS ?=
VARIANTS ?=
DATA_ROOT ?=
BACKBONE ?= auto
WEIGHTS ?=
LAYERS ?=
SEED ?= 0
DEVICE ?= auto
PROFILE ?= full
JOBS ?=
SCHEDULER ?=
PARAMS ?=
OUTPUT ?=
ONLY ?=
PEERS ?= .venv-peers
TORCH_INDEX ?=

# A setting is text: neither make nor the shell may look for commands in it. It reaches
# the commands below by the environment, as it was given.
SETTINGS = CATEGORIES DATA_ROOT BACKBONE WEIGHTS LAYERS SEED DEVICE PROFILE JOBS SCHEDULER PARAMS \
	OUTPUT ONLY MODELS SEEDS VARIANTS TORCH_INDEX
$(foreach name,$(SETTINGS),$(eval override $(name) := $$(value $(name))))
export $(SETTINGS)

RUN = $(VENV)/bin/python
STUDY = --categories "$$CATEGORIES" --data-root "$$DATA_ROOT" --backbone "$$BACKBONE" \
	--weights "$$WEIGHTS" --layers "$$LAYERS" --seed "$$SEED" --device "$$DEVICE" \
	--profile "$$PROFILE" --jobs "$$JOBS" --scheduler "$$SCHEDULER" --params "$$PARAMS"

.PHONY: help setup contributing book notebooks reference sensitivity curve layers bench bench-peers headline pdf test faults data lint format clean

help:
	@echo "make setup       create the environment in $(VENV); TORCH_INDEX=address takes PyTorch from there"
	@echo "make book        run the study and build the book"
	@echo "make pdf         print the book into one file, where Chromium is installed"
	@echo "make notebooks   run the notebooks of some parts and no chapter, e.g. CATEGORIES=screw"
	@echo "make test        run the tests"
	@echo "make faults      try the study: kills, full disks, hostile files; about an hour"
	@echo "make data        fetch MVTec AD into data/mvtec (5 GB)"
	@echo "make reference   measure the reference results of real parts; needs DATA_ROOT"
	@echo "make sensitivity measure what each setting does, one at a time; needs DATA_ROOT"
	@echo "make curve       measure how many normal images are needed; needs DATA_ROOT"
	@echo "make layers      measure what each layer of the backbone brings to FeatCAE; needs DATA_ROOT"
	@echo "make bench       measure times and memory, e.g. ONLY=\"extraction growth\""
	@echo "make bench-peers measure anomalib's PatchCore in an environment of its own"
	@echo "make headline    write the README's chart and table from data/reference"
	@echo "make lint        check style; make format mends it"
	@echo "make clean       remove what was built; data and environment stay"
	@echo
	@echo "settings: CATEGORIES DATA_ROOT BACKBONE WEIGHTS LAYERS SEED DEVICE PROFILE=quick JOBS"
	@echo "          PARAMS=\"latent=100 autoencoder.epochs=20\""
	@echo "          SCHEDULER=tcp://host:port, a Dask cluster in place of this machine"
	@echo "          a part of the reference: MODELS=\"combined patchcore\" SEEDS=1"
	@echo "          VARIANTS=\"plain,384 pixels\""

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) study/environment.py $(VENV) && touch $@

contributing: $(VENV)/contributing

$(VENV)/contributing: $(VENV)/installed
	@$(PYTHON) study/environment.py $(VENV) dev && touch $@

book pdf notebooks: setup
	@$(RUN) -m study $@ $(STUDY)

reference sensitivity curve layers: setup
	@$(RUN) -m study $@ $(STUDY) --output "$$OUTPUT" --models "$$MODELS" --seeds "$$SEEDS" \
		--variants "$$VARIANTS"

bench: contributing
	@$(RUN) -m pytest tests/benchmarks/selfcheck.py
	@$(RUN) -m tests.benchmarks --data-root "$$DATA_ROOT" --weights "$$WEIGHTS" \
		--layers "$$LAYERS" --only "$$ONLY" --output "$$OUTPUT"

bench-peers: $(PEERS)/installed
	@$(PEERS)/bin/python -m tests.benchmarks.peers --data-root "$$DATA_ROOT" \
		--weights "$$WEIGHTS" --output "$$OUTPUT"

$(PEERS)/installed: constraints.txt
	@$(PYTHON) -m venv $(PEERS) && $(PEERS)/bin/python -m pip install anomalib==2.7.0 \
		$$(grep -E '^(torch|torchvision)==' constraints.txt) && touch $@

headline data: setup
	@$(RUN) -m study $@

test: contributing
	@$(RUN) -m pytest -n logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder

faults: contributing
	@$(RUN) -m pytest tests/faults/selfcheck.py
	@TQDM_DISABLE=1 $(RUN) -m tests.faults --only "$$ONLY" --output "$$OUTPUT"

lint: contributing
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(VENV)/bin/nbstripout --verify notebooks/*.ipynb

format: contributing
	@$(RUN) -m ruff check --fix
	@$(RUN) -m ruff format
	@$(VENV)/bin/nbstripout notebooks/*.ipynb

clean:
	rm -rf build results data/features
