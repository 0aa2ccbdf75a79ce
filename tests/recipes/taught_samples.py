"""A cross-encoder of a few kilobytes, rows for it to judge, and runs that it teaches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from test_retrieval_runs import QUICK

from supertune.config import Config
from supertune.console import Console
from supertune.recipes.prepare import Prepared, prepare
from supertune.recipes.teacher import taught

HARD = {"task.negatives": "bm25", "task.negatives_per_row": 3}
SMALL = {**QUICK, "train.epochs": 2, "evaluate.baselines": False, "train.checkpoint_every": 3, "train.threads": 1}


WORDS = ("the", "film", "parcel", "good", "bad", "late", "here", "my", "好", "坏", "电", "影", "不", "很")


def grouped(count: int = 24, others: int = 3) -> list[dict[str, Any]]:
    """Queries of two words, each with a passage that it asks for and some that it does not, all of three words."""
    random = np.random.default_rng(0)
    drawn = {" ".join(random.choice(WORDS, 3, replace=False)) for _ in range(600)}
    passages = sorted(drawn)
    queries = sorted({" ".join(random.choice(WORDS, 2, replace=False)) for _ in range(400)})
    random.shuffle(passages)
    random.shuffle(queries)
    size = 1 + others
    return [
        {"query": query, "passage": passages[row * size], "negatives": passages[row * size + 1 : (row + 1) * size]}
        for row, query in enumerate(queries[:count])
    ]


def scores_of(folder: Path, texts: list[tuple[str, str]]) -> Any:
    """What plain transformers says of pairs."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        batch = tokenizer(*map(list, zip(*texts, strict=True)), padding=True, return_tensors="pt")
        return model(**batch).logits[:, 0].numpy()


def write_teacher(encoder: Path, folder: Path, outputs: int = 1) -> Path:
    """A cross-encoder that nobody trained, whose scores of `grouped` pairs have mean 0 and standard deviation 3."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=outputs)
        for name, value in model.named_parameters():
            if "layer" in name and value.ndim == 2:
                value.data *= 6
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if outputs == 1:
        every = [(row["query"], text) for row in grouped() for text in (row["passage"], *row["negatives"])]
        found = scores_of(folder, every)
        model.classifier.weight.data *= 3 / found.std()
        model.classifier.bias.data -= float(found.mean() * 3 / found.std())
        model.save_pretrained(folder)
    return folder


def prepared_with(encoder: Path, rows: Any, **settings: Any) -> Prepared:
    values = {**QUICK, "task.name": "retrieval", "model.name": str(encoder), **settings}
    return prepare(Config().with_values(values), rows, Console(quiet=True))


def asked(prepared: Prepared, console: Console | None = None) -> tuple[Any, dict[str, Any] | None]:
    learned, facts = taught(
        prepared.start, prepared.task, prepared.features["train"], prepared.learned, console or Console(quiet=True)
    )
    return learned["train"].groups, facts


def command(folder: Path, encoder: Path, out: str, *more: str, **surroundings: str) -> Any:
    """``supertune train``, as people type it."""
    values = {**SMALL, **HARD, "task.teacher": "order"}
    settings = [part for key, value in values.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    typed = ["train", "rows.jsonl", "--task", "retrieval", "--model", str(encoder), *settings, "--out", out, *more]
    return supertune_of(folder, *typed, **surroundings)


def supertune_of(folder: Path, *arguments: str, **surroundings: str) -> Any:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **surroundings}
    typed = [sys.executable, "-m", "supertune", *arguments]
    return subprocess.run(typed, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=900)


def manifest(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return found
