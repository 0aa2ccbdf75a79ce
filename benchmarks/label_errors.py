"""Planted label errors: how many are found, by which list, beside cleanlab and beside argmax ≠ label.

Usage: SUPERTUNE_DATA=folder python benchmarks/label_errors.py [--sets trec,sst2,sick,waimai] [--rates 0,0.05,0.1,0.2]
           [--noise uniform|neighbour] [--seeds 11,12,13] [--rows N] [--out runs/label-errors] [--ablation] [--table]

Labels of real sets are flipped at random, to any other label (``uniform``) or to the next one only (``neighbour``), and
looked for with the features of the embedded encoder: `minilm`, for waimai `e5-multilingual`. All methods get the same
features and folds. ``cleanlab`` is its default list on a logistic head's out-of-fold probabilities, ``its ranking`` the
rows that it ranks worst, as many as ours lists. What is wrong in the sets themselves counts against every method.
OUT keeps vectors and results; what is there is not computed again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from supertune.data.check.texts import blake2b_key
from supertune.data.label_errors.folds import fold_of
from supertune.data.label_errors.heads import class_heads
from supertune.data.label_errors.suspects import Suspects, find_suspects
from supertune.data.label_errors.terms import copies_together, term_view
from supertune.language import fold
from supertune.recipes.embedder import open_embedder

Flags = np.ndarray[Any, np.dtype[np.bool_]]
MODELS = {"waimai": "e5-multilingual"}


def main() -> int:
    """Compute what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "trec").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with trec/, sst2/, sick/ and waimai_10k.csv")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets.split(","):
        for rate in map(float, options.rates.split(",")):
            for seed in map(int, options.seeds.split(",")):
                place = options.out / f"{name}-{options.rows}-{options.noise}-{rate:g}-{seed}.json"
                if not place.exists() and not options.table:
                    found = measured(*prepared(data, name, options), rate, seed, options)
                    place.write_text(json.dumps(found), encoding="utf-8")
                    print(f"{name} {rate:g} {seed}: {json.dumps(found['ours'])}", flush=True)
        table(name, options)
    return 0


def rows_of(data: Path, name: str) -> tuple[list[tuple[str, ...]], list[str]]:
    """The texts, one or two sides each, and the labels of a set's training rows."""
    if name == "waimai":
        with (data / "waimai_10k.csv").open(encoding="utf-8-sig", newline="") as stream:
            found = [((row["review"],), row["label"]) for row in csv.DictReader(stream)]
    else:
        sides = ("text_a", "text_b") if name == "sick" else ("text",)
        lines = (data / name / "train.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        found = [(tuple(row[side] for side in sides), row["label"]) for row in rows]
    return [texts for texts, _ in found], [label for _, label in found]


def prepared(data: Path, name: str, options: argparse.Namespace) -> tuple[list[Any], Any, Any]:
    """Views, labels as numbers, and keys of a set; the vectors are kept."""
    texts, labels = rows_of(data, name)
    kept = np.sort(np.random.default_rng(0).permutation(len(texts))[: options.rows])
    texts = [texts[row] for row in kept.tolist()]
    place = options.out / f"vectors-{name}-{options.rows}.npy"
    if not place.exists():
        embedder = open_embedder(MODELS.get(name, "minilm"))
        np.save(place, np.stack([embedder.encode(side, "query") for side in zip(*texts, strict=True)]))
    sides = np.load(place)
    dense = sides[0] if len(sides) == 1 else np.concatenate([*sides, abs(sides[0] - sides[1]), sides[0] * sides[1]], 1)
    keys = np.array([blake2b_key("\x1f".join(map(fold, each))) for each in texts], np.uint64)
    _, codes = np.unique(np.array(labels)[kept], return_inverse=True)
    return [dense, term_view(texts)], codes, copies_together(texts, keys)


def flipped(labels: Any, rate: float, seed: int, noise: str) -> tuple[Any, Flags]:
    """Labels of which this share is wrong, and which."""
    random, classes = np.random.default_rng(seed), int(labels.max()) + 1
    wrong = np.zeros(len(labels), bool)
    wrong[random.permutation(len(labels))[: round(rate * len(labels))]] = True
    by = random.integers(1, classes, len(labels)) if noise == "uniform" else np.ones(len(labels), np.int64)
    return np.where(wrong, (labels + by) % classes, labels), wrong


def measured(
    views: list[Any], truth: Any, keys: Any, rate: float, seed: int, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """What each method lists."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels, wrong = flipped(truth, rate, seed, options.noise)
    begun = time.monotonic()
    ours = find_suspects(views, labels, keys)
    seconds = time.monotonic() - begun
    said = class_heads(views, labels, fold_of(labels, keys, seed=0), np.ones(len(labels)), lambda: None)
    odds = np.exp(said)
    dense = odds[0] / odds[0].sum(axis=1, keepdims=True)
    pooled = np.exp(said.mean(axis=0))
    pooled /= pooled.sum(axis=1, keepdims=True)
    ranked = np.argsort(get_label_quality_scores(labels, dense), kind="stable")
    found = {
        "ours": {**judged(ours, wrong), "seconds": round(seconds, 1)},
        "cleanlab": scored(find_label_issues(labels, dense, n_jobs=1), wrong),
        "its ranking": scored(chosen(ranked[: len(ours.rows)], len(wrong)), wrong),
        "cleanlab on our heads": scored(find_label_issues(labels, pooled, n_jobs=1), wrong),
        "argmax": scored(dense.argmax(axis=1) != labels, wrong),
        "argmax of our heads": scored(pooled.argmax(axis=1) != labels, wrong),
    }
    if options.ablation:
        found["vectors alone"] = judged(find_suspects(views[:1], labels, keys), wrong)
        found["terms alone"] = judged(find_suspects(views[1:], labels, keys), wrong)
    return found


def chosen(rows: Any, count: int) -> Flags:
    """The rows as flags."""
    flags = np.zeros(count, bool)
    flags[rows] = True
    return flags


def judged(found: Suspects, wrong: Flags) -> dict[str, float]:
    """The scores of our list, and what it said of itself."""
    own = scored(chosen(found.rows, len(wrong)), wrong)
    said = {"expected": found.expected, "low": found.low, "high": found.high, "said": found.precision}
    return own | {name: None if value != value else round(value, 3) for name, value in said.items()}


def scored(flags: Any, wrong: Flags) -> dict[str, float]:
    """Precision, recall and F1 of a list."""
    hit, listed, there = int((flags & wrong).sum()), int(flags.sum()), int(wrong.sum())
    precision, recall = hit / max(1, listed), hit / max(1, there)
    f1 = 2 * hit / max(1, listed + there)
    return {"precision": precision, "recall": recall, "f1": f1, "listed": listed, "planted": there, "rows": len(wrong)}


def table(name: str, options: argparse.Namespace) -> None:
    """A line per rate and method: means over the seeds."""
    for rate in map(float, options.rates.split(",")):
        places = [
            options.out / f"{name}-{options.rows}-{options.noise}-{rate:g}-{seed}.json"
            for seed in options.seeds.split(",")
        ]
        runs = [json.loads(place.read_text(encoding="utf-8")) for place in places if place.exists()]
        if not runs:
            continue
        rows = runs[0]["ours"]["rows"]
        print(f"\n{name}, {rate:.0%} {options.noise} flips; n = {rows:,}, {len(runs)} seeds")
        for method in runs[0]:
            own = [run[method] for run in runs]
            shown = [f"{key} {np.mean([each[key] for each in own]):.3f}" for key in ("precision", "recall", "f1")]
            line = f"  {method:22s} {', '.join(shown)}, listed {np.mean([each['listed'] for each in own]):.0f}"
            if "low" in own[0]:
                line += "; said " + ", ".join(
                    f"{each['expected']:.0f} [{each['low']:.0f}, {each['high']:.0f}]"
                    + ("" if each["said"] is None else f" at {each['said']:.2f}")
                    for each in own
                )
            print(line)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="trec,sst2,sick,waimai")
    parser.add_argument("--rates", default="0,0.05,0.1,0.2")
    parser.add_argument("--noise", choices=("uniform", "neighbour"), default="uniform")
    parser.add_argument("--seeds", default="11,12,13")
    parser.add_argument("--rows", type=int, default=7000, help="at most so many rows of each set")
    parser.add_argument("--out", type=Path, default=Path("runs/label-errors"))
    parser.add_argument("--ablation", action="store_true", help="our list by each view alone as well")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
