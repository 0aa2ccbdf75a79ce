# make demo: the main job, end to end.  make test: the whole suite.  Both start from a bare clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pip, not uv: constraints.txt pins every version.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow lint format docs constraints clean soak
.PHONY: bench bench-reading bench-coverage bench-accuracy bench-train bench-scale bench-ablation bench-strategies bench-few-shot bench-frozen bench-sick
.PHONY: bench-labels bench-qa bench-retrieval bench-distillation bench-index bench-summaries bench-tagging bench-head bench-sft bench-rendering bench-writing
.PHONY: bench-near bench-pii bench-label-errors bench-cleaning bench-preparing bench-augmenting bench-passes bench-label-kept bench-diverse bench-answers

demo: $(VENV)/installed
	$(BIN)/supertune demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

# bitsandbytes only here: peft imports it wherever it is installed, which takes every process a second.
test-slow: $(VENV)/installed-dev
	$(INSTALL) bitsandbytes
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/house_rules.py

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-reading bench-coverage bench-accuracy bench-train bench-scale

bench-reading: $(VENV)/installed-dev
	$(BIN)/python benchmarks/reading.py

bench-coverage: $(VENV)/installed-dev
	$(BIN)/python benchmarks/coverage.py

bench-accuracy: $(VENV)/installed-dev
	$(BIN)/python benchmarks/accuracy.py

bench-train: $(VENV)/installed-dev
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/training.py --floor

bench-scale: $(VENV)/installed-dev
	$(BIN)/python benchmarks/scale.py

# Hours; goes on where it was.
bench-ablation: $(VENV)/installed-dev
	$(BIN)/python benchmarks/ablation.py

# Hours as well, and goes on in the same way.
bench-strategies: $(VENV)/installed-dev
	$(BIN)/python benchmarks/strategies.py

bench-frozen: $(VENV)/installed-dev
	$(BIN)/python benchmarks/frozen.py

bench-sick: $(VENV)/installed-dev
	$(BIN)/python benchmarks/sick.py

bench-labels: $(VENV)/installed-dev
	$(BIN)/python benchmarks/labels.py

bench-qa: $(VENV)/installed-dev
	$(BIN)/python benchmarks/questions.py

bench-distillation: $(VENV)/installed-dev
	$(BIN)/python benchmarks/distillation.py

bench-retrieval: $(VENV)/installed-dev
	$(BIN)/python benchmarks/retrieval.py

bench-index: $(VENV)/installed-dev
	$(BIN)/python benchmarks/index.py

bench-summaries: $(VENV)/installed-dev
	$(BIN)/python benchmarks/summaries.py

bench-tagging: $(VENV)/installed-dev
	$(BIN)/python benchmarks/tagging.py

# datasketch is here to be compared with, and nothing needs it.
bench-near: $(VENV)/installed-dev
	$(INSTALL) datasketch==2.0.0 rensa==0.5.0
	$(BIN)/python benchmarks/near_duplicates.py --peers datasketch rensa

bench-pii: $(VENV)/installed-dev
	$(BIN)/python benchmarks/pii.py

bench-cleaning: $(VENV)/installed-dev
	$(BIN)/python benchmarks/cleaning.py

# An hour or two; goes on where it was.
bench-preparing: $(VENV)/installed-dev
	$(BIN)/python benchmarks/preparing.py

# Hours; goes on where it was.
bench-augmenting: $(VENV)/installed-dev
	$(BIN)/python benchmarks/augmenting.py --screen --train synonyms random-swap

# Hours; goes on where it was.
bench-passes: $(VENV)/installed-dev
	$(BIN)/python benchmarks/passes.py

bench-label-kept: $(VENV)/installed-dev
	$(BIN)/python benchmarks/label_kept.py

bench-diverse: $(VENV)/installed-dev
	$(BIN)/python benchmarks/diverse.py

bench-answers: $(VENV)/installed-dev
	$(BIN)/python benchmarks/answers.py

bench-label-errors: $(VENV)/installed-dev
	$(BIN)/python benchmarks/label_errors.py

# Hours; goes on where it was.
bench-writing: $(VENV)/installed-dev
	$(BIN)/python benchmarks/writing.py

bench-rendering: $(VENV)/installed-dev
	$(BIN)/python benchmarks/rendering.py

bench-head: $(VENV)/installed-dev
	$(BIN)/python benchmarks/output_head.py
	$(BIN)/python benchmarks/output_head.py --learns
	$(BIN)/python benchmarks/output_head.py --memory --tokens 512

# TRL is here to be compared with, and nothing needs it. Goes on where it was.
bench-sft: $(VENV)/installed-dev
	$(INSTALL) trl==1.16.0
	$(BIN)/python benchmarks/sft.py

# SetFit is here to be compared with, and nothing needs it.
bench-few-shot: $(VENV)/installed-dev
	$(INSTALL) setfit==1.2.0
	$(BIN)/python benchmarks/few_shot.py
	$(BIN)/python benchmarks/few_shot.py --memory

soak: $(VENV)/installed-dev
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python benchmarks/soak.py --precision bf16 --seed 1

docs: $(VENV)/installed-dev
	$(BIN)/python tools/reference.py

constraints: $(VENV)/installed-dev
	$(BIN)/python tools/pin.py > constraints.txt

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[offline]'
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[offline,excel,index,web,tensorboard,mlflow,bench,dev]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
