"""Extractive summaries of dialogues: a fine-tuned model beside the first turns, TextRank, and the frozen encoder.

Usage: SUPERTUNE_DATA=folder python benchmarks/summaries.py [--folds 5] [--seed 0] [--only trained frozen] [--threads N]
       [--out runs/summaries] [--table] [-- further options of supertune train]

DialogSum's 500 dev dialogues in folds, each scored by a model that has not seen it, with the defaults of ``supertune
train --task extractive-summary``. The set is fair: news begins with what matters, so that the first sentences are hard
to beat and nothing else need be learned; in a talk the first turns greet and ask, and the turns nearest to the summary
come from all over it. ``frozen`` is the encoder as it was pre-trained, under a logistic regression on the mean of each
turn's tokens: what the same head would learn on it at best. The first turns, and TextRank's, are as many as suit *them*
best on the very rows that are scored, so that the difference is not one of length, and if anything in their favour. OUT
keeps the extracts of every fold; what is there is not trained again. Differences are paired by dialogue, over all
folds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Columns, Outcome, Score, model_inputs
from supertune.data import Table
from supertune.evaluate import measure, paired_difference, textrank
from supertune.extracts import MOST_SENTENCES, Length, Ranked, best_length, chosen, oracle
from supertune.models import load_tokenizer, resolve
from supertune.sentences import line_spans
from supertune.tasks import ExtractiveSummaryTask, in_lines, joined_sentences
from supertune.train import collate

KINDS = ("trained", "frozen")
COLUMNS = Columns(("dialogue",), ("summary",), answers="texts")
METRICS = ("rouge1", "rouge2", "rougeLsum")


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", "")) / "dialogsum_dev.jsonl"
    if not data.is_file():
        print("skipped: set SUPERTUNE_DATA to the folder with dialogsum_dev.jsonl")
        return 0
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    options.out.mkdir(parents=True, exist_ok=True)
    folds = np.random.default_rng(options.seed).permutation(len(rows)) % options.folds
    for kind in options.only:
        missing = [fold for fold in range(options.folds) if not kept_at(options, kind, fold).exists()]
        if options.table or not missing:
            continue
        told = trained(rows, folds, missing, options) if kind == "trained" else frozen(rows, folds, missing)
        for fold, found in told:
            kept_at(options, kind, fold).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
            print(f"{kind}, fold {fold}: {found['seconds']:.0f} s", flush=True)
    table(rows, options)
    return 0


def trained(
    rows: Sequence[Mapping[str, Any]], folds: np.ndarray, missing: Sequence[int], options: argparse.Namespace
) -> Iterator[tuple[int, dict[str, Any]]]:
    """For each fold the extracts of a model that was trained on the others."""
    for fold in missing:
        yield fold, extracts(rows, folds == fold, options)


def frozen(
    rows: Sequence[Mapping[str, Any]], folds: np.ndarray, missing: Sequence[int]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """For each fold the extracts of a logistic regression on what the encoder says, as pre-trained, of the others."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    turns = [[row["dialogue"][start:end] for start, end in line_spans(row["dialogue"])] for row in rows]
    states, owners = encoded(rows)
    labels = np.concatenate(
        [np.isin(range(len(own)), oracle(own, [row["summary"]]).chosen) for own, row in zip(turns, rows, strict=True)]
    )

    def ranked(places: np.ndarray, scores: np.ndarray) -> list[Ranked]:
        of = [scores[owners[places] == row] for row in np.unique(owners[places])]
        named = np.unique(owners[places])
        return [
            Ranked(turns[row], np.argsort(-own, kind="stable").tolist(), [rows[row]["summary"]])
            for row, own in zip(named, of, strict=True)
        ]

    for fold in missing:
        begun = time.monotonic()
        held = folds[owners] == fold
        shown, asked = np.flatnonzero(~held), np.flatnonzero(held)
        model = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=np.logspace(-5, 0, 6), cv=5, max_iter=1000))
        inner = cross_val_predict(
            model, states[shown], labels[shown], groups=owners[shown], cv=GroupKFold(5), method="decision_function"
        )
        length = best_length(ranked(shown, inner), Length(), (False, True))
        scores = model.fit(states[shown], labels[shown]).decision_function(states[asked])
        told = [joined_sentences(one.sentences, chosen(one, length)) for one in ranked(asked, scores)]
        numbers = [int(row) for row in np.unique(owners[asked])]
        yield fold, {"seconds": time.monotonic() - begun, "extracts": dict(zip(numbers, told, strict=True))}


def encoded(rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the tokens' last states of every turn, float32 (turns, width), and the row that each is of."""
    import torch
    from transformers import AutoModel

    source = resolve("minilm")
    tokenizer = load_tokenizer(source, max_length=256)
    model = AutoModel.from_pretrained(source.folder, local_files_only=True).eval()
    task = ExtractiveSummaryTask(COLUMNS, unit="line")
    features = task.encode(Table.from_rows(list(rows)), tokenizer, 256, labelled=False)
    means: dict[tuple[int, int], np.ndarray] = {}
    for items in np.array_split(np.argsort(features.lengths, kind="stable"), max(1, len(features) // 16)):
        batch = collate(features, items, {"input_ids": int(tokenizer.pad_token_id)})
        with torch.inference_mode():
            states = model(**model_inputs(batch)).last_hidden_state.numpy()
        for item, numbers, own in zip(items, batch["sentences"].numpy(), states, strict=True):
            for number in set(numbers.tolist()) - {0}:
                means[int(features.rows[item]), number] = own[numbers == number].mean(axis=0)
    order = sorted(means)
    return np.stack([means[place] for place in order]), np.array([row for row, _ in order])


def extracts(rows: Sequence[Mapping[str, Any]], held: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    """Row → extract of the held-out rows, and seconds of training."""
    with tempfile.TemporaryDirectory() as scratch:
        files = {split: Path(scratch) / f"{split}.jsonl" for split in ("train", "test")}
        for split, path in files.items():
            chosen_rows = np.flatnonzero(held == (split == "test"))
            lines = (json.dumps({"number": int(row), **rows[row]}, ensure_ascii=False) for row in chosen_rows)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run = Path(scratch) / "run"
        command = [sys.executable, "-m", "supertune", "train", str(files["train"]), "--test", str(files["test"])]
        command += ["--task", "extractive-summary", "--model", "minilm", "--seed", str(options.seed), "--out", str(run)]
        command += ["--quiet", "--set", "evaluate.baselines=false", "--set", "train.checkpoint_every=0"]
        command += ["--set", f"train.threads={options.threads}"] if options.threads else []
        done = subprocess.run([*command, *options.more], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        told = (run / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
        seconds = json.loads((run / "manifest.json").read_text())["timings"]["train"]
    return {"seconds": seconds, "extracts": {row["number"]: row["prediction"] for row in map(json.loads, told)}}


def outcome(rows: Sequence[Mapping[str, Any]], told: Sequence[str]) -> Outcome:
    """Summaries beside extracts."""
    targets = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        targets[place] = in_lines([row["summary"]])
    return Outcome(targets, np.array(told, object), answers="texts")


def untrained(rows: Sequence[Mapping[str, Any]]) -> dict[str, Outcome]:
    """What needs no training, at the number of turns that is best for its ROUGE-1 on these very rows."""
    turns = [[row["dialogue"][start:end] for start, end in line_spans(row["dialogue"])] for row in rows]
    ways: Mapping[str, Callable[[Sequence[str]], Sequence[int]]] = {
        "first turns": lambda own: range(len(own)),
        "TextRank": textrank,
    }
    found = {}
    for name, way in ways.items():
        ranked = [Ranked(own, list(way(own))) for own in turns]
        tried = {}
        for count in range(1, MOST_SENTENCES + 1):
            told = [joined_sentences(one.sentences, chosen(one, Length(count))) for one in ranked]
            tried[count] = outcome(rows, told)
        count = max(tried, key=lambda count: measure(tried[count], ["rouge1"], resamples=1000).scores["rouge1"].value)
        found[f"{name}, {count}"] = tried[count]
    best = [oracle(own, [row["summary"]]).chosen for own, row in zip(turns, rows, strict=True)]
    told = [joined_sentences(own, places) for own, places in zip(turns, best, strict=True)]
    return {**found, "nearest to the summaries": outcome(rows, told)}


def table(rows: Sequence[Mapping[str, Any]], options: argparse.Namespace) -> None:
    """ROUGE of every kind over the rows of the folds that are there, and by how much the trained model is ahead."""
    there = {kind: kept(options, kind) for kind in KINDS}
    shown = sorted(set.intersection(*(set(found) for found in there.values() if found))) if any(there.values()) else []
    if not shown:
        return
    some = [rows[row] for row in shown]
    found = untrained(some)
    found |= {kind: outcome(some, [told[row] for row in shown]) for kind, told in there.items() if told}
    print(f"\nDialogSum dev, n = {len(some)}, minilm, seed {options.seed}; ROUGE-1, ROUGE-2 and ROUGE-Lsum in percent")
    for name, own in found.items():
        print(f"  {name}: {', '.join(percent(score) for score in measure(own, METRICS).scores.values())}")
    if "trained" not in found:
        return
    for name, own in found.items():
        if name != "trained" and not name.startswith("nearest"):
            ahead = [percent(paired_difference(found["trained"], own, metric), signed=True) for metric in METRICS]
            print(f"  trained minus {name}: {', '.join(ahead)}")


def kept(options: argparse.Namespace, kind: str) -> dict[int, str]:
    """Row → extract, of the folds that are there."""
    found: dict[int, str] = {}
    for fold in range(options.folds):
        place = kept_at(options, kind, fold)
        if place.exists():
            told = json.loads(place.read_text(encoding="utf-8"))["extracts"]
            found |= {int(row): text for row, text in told.items()}
    return found


def kept_at(options: argparse.Namespace, kind: str, fold: int) -> Path:
    """Where the extracts of a fold are kept."""
    path: Path = options.out / f"{kind}-{options.seed}-{fold}.json"
    return path


def percent(score: Score, *, signed: bool = False) -> str:
    """A score and its interval."""
    sign = "+" if signed else ""
    return f"{100 * score.value:{sign}.1f} [{100 * score.low:{sign}.1f}, {100 * score.high:{sign}.1f}]"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/summaries"))
    parser.add_argument("--table", action="store_true", help="print only the table")
    parser.add_argument("more", nargs="*", help="further options of supertune train, behind --")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
