"""Sentence pairs: SICK's relatedness (a number) and entailment (three classes), beside the frozen encoder.

Usage: SUPERTUNE_DATA=folder python benchmarks/sick.py [--seeds 3] [--threads N] [--out runs/sick] [--table]

``supertune train`` with its defaults on the 4,500 training pairs, the epoch chosen on the 500 of trial, scored on
the 4,927 of test. ``frozen`` is what the same encoder knows without training: |u − v| and u·v of the two sentences'
mean vectors under ridge or logistic regression, whose strength is chosen on trial; ``cosine`` is their cosine alone.
OUT keeps the answers of every run, so that differences are paired by row; what is there is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate import estimate, paired_difference

MODEL = "minilm"
TASKS = {"relatedness": ("regression", "pearson"), "label": ("classification", "accuracy")}
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", "")) / "sick"
    if not data.is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with sick/")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    splits = {split: read(data / f"{split}.jsonl") for split in ("train", "trial", "test")}
    vectors = None
    for column, (task, _) in TASKS.items():
        frozen = options.out / f"{column}-frozen.npy"
        if not frozen.exists() and not options.table:
            vectors = vectors or {split: features(rows) for split, rows in splits.items()}
            np.save(frozen, frozen_answers(task, column, splits, vectors))
            np.save(options.out / "cosine.npy", vectors["test"][:, -1:])
        for seed in range(options.seeds):
            place = options.out / f"{column}-{seed}.npy"
            if not place.exists() and not options.table:
                answers, seconds = trained(task, column, data, seed, options.threads)
                np.save(place, answers)
                print(f"{column}, seed {seed}: {seconds:.0f} s", flush=True)
    table(options.out, splits["test"], options.seeds)
    return 0


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a split."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def trained(task: str, column: str, data: Path, seed: int, threads: int | None) -> tuple[FloatArray, float]:
    """Answers for the test rows, float64 (rows, columns or classes), and seconds of training."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        command = [sys.executable, "-m", "supertune", "train", str(data / "train.jsonl"), "--quiet", "--json"]
        command += ["--validation", str(data / "trial.jsonl"), "--test", str(data / "test.jsonl"), "--out", str(run)]
        command += ["--task", task, "--label", column, "--model", MODEL, "--seed", str(seed)]
        command += ["--set", "evaluate.baselines=false", "--set", "train.checkpoint_every=0"]
        command += ["--set", f"train.threads={threads}"] if threads else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        rows = read(run / "predictions/test.jsonl")
        seconds = json.loads((run / "manifest.json").read_text())["timings"]["train"]
    if task == "regression":
        return np.array([[row["prediction"]] for row in rows], np.float64), seconds
    names = sorted(rows[0]["scores"])
    return np.array([[row["scores"][name] for name in names] for row in rows], np.float64), seconds


def features(rows: list[dict[str, Any]]) -> FloatArray:
    """Float64 (rows, 2 × width + 1): |u − v|, u·v and the cosine of the frozen encoder's mean vectors."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from supertune.models import resolve

    folder = str(resolve(MODEL).folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def embed(texts: list[str]) -> torch.Tensor:
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), 64):
                batch = tokenizer(texts[start : start + 64], padding=True, truncation=True, return_tensors="pt")
                mask = batch["attention_mask"].unsqueeze(-1)
                states = model(**batch).last_hidden_state
                found.append((states * mask).sum(1) / mask.sum(1))
        return torch.nn.functional.normalize(torch.cat(found), dim=-1)

    u, v = embed([row["text_a"] for row in rows]), embed([row["text_b"] for row in rows])
    both = torch.cat([(u - v).abs(), u * v, (u * v).sum(1, keepdim=True)], dim=1)
    return np.asarray(both.double().numpy())


def frozen_answers(
    task: str, column: str, splits: dict[str, list[dict[str, Any]]], vectors: dict[str, FloatArray]
) -> FloatArray:
    """What a linear model on the frozen vectors says of the test rows; its strength is the best on trial."""
    from sklearn.linear_model import LogisticRegression, Ridge

    truths = {split: np.array([row[column] for row in rows]) for split, rows in splits.items()}
    best: tuple[float, Any] = (-np.inf, None)
    for strength in STRENGTHS:
        model = Ridge(alpha=1 / strength) if task == "regression" else LogisticRegression(C=strength, max_iter=2000)
        model.fit(vectors["train"], truths["train"])
        best = max(best, (float(model.score(vectors["trial"], truths["trial"])), model), key=lambda found: found[0])
    if task == "regression":
        return np.asarray(best[1].predict(vectors["test"])[:, None])
    return np.asarray(best[1].predict_proba(vectors["test"]))


def table(out: Path, test: list[dict[str, Any]], seeds: int) -> None:
    """A line per task and seed, and what is better than the frozen encoder by how much."""
    for column, (task, metric) in TASKS.items():
        names = (column,) if task == "regression" else tuple(sorted({row[column] for row in test}))
        truth = np.array([row[column] for row in test])
        numbers = task == "regression"
        targets, kind = (
            (truth[:, None].astype(float), "numbers") if numbers else (np.searchsorted(names, truth), "classes")
        )
        frozen = Outcome(targets, np.load(out / f"{column}-frozen.npy"), names, kind)
        print(f"\n{column}, {metric}; n = {len(test):,}")
        if task == "regression":
            cosine = Outcome(targets, np.load(out / "cosine.npy"), names, kind)
            print(f"  cosine of the frozen encoder: {estimate(cosine, metric):.4f}")
        print(f"  frozen encoder, linear head: {estimate(frozen, metric):.4f}")
        values = []
        for seed in range(seeds):
            place = out / f"{column}-{seed}.npy"
            if not place.exists():
                continue
            found = Outcome(targets, np.load(place), names, kind)
            values.append(estimate(found, metric))
            score = paired_difference(found, frozen, metric)
            span = f"[{score.low:+.4f}, {score.high:+.4f}]"
            print(f"  seed {seed}: {values[-1]:.4f}; minus frozen {score.value:+.4f} {span}")
        if len(values) > 1:
            print(f"  mean {statistics.mean(values):.4f}, standard deviation {statistics.stdev(values):.4f}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/sick"))
    parser.add_argument("--table", action="store_true", help="print only the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
