"""Several labels per row: TREC's coarse and fine labels together, and letters that ask none to five kinds of question.

Usage: SUPERTUNE_DATA=folder python benchmarks/labels.py [--sets trec,letters] [--seeds 3] [--threads N]
                                                         [--out runs/labels] [--table]

``supertune train --task multilabel`` with its defaults, beside the frozen encoder under the same head (``probe``) and
TF-IDF with a logistic regression per label, all on the same rows. ``letters`` are made here: a sentence about a film
from SST-2 and none to five questions of TREC, each of another coarse kind, in random order; the labels are the kinds.
OUT keeps the answers of every run, so that differences are paired by row; what is there is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Outcome
from supertune.evaluate import measure, paired_difference

MODEL = "minilm"
STRATEGIES = ("full", "probe")
LETTERS = {"train": 3000, "test": 1000}
MOST_QUESTIONS = 5


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "trec").is_dir() or not (data / "sst2").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with trec/ and sst2/")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets.split(","):
        splits = {split: {"trec": questions, "letters": letters}[name](data, split) for split in ("train", "test")}
        for strategy in STRATEGIES:
            for seed in range(options.seeds):
                place = options.out / f"{name}-{strategy}-{seed}.json"
                if not place.exists() and not options.table:
                    found = trained(splits, strategy, seed, options.threads)
                    place.write_text(json.dumps(found), encoding="utf-8")
                    print(f"{name}, {strategy}, seed {seed}: {found['seconds']:.0f} s", flush=True)
        table(name, splits["test"], options)
    return 0


def questions(data: Path, split: str) -> list[dict[str, Any]]:
    """Every question of TREC with its coarse and its fine label."""
    rows = read(data / "trec" / f"{split}.jsonl")
    return [{"text": row["text"], "labels": [row["label"], row["fine_label"]]} for row in rows]


def letters(data: Path, split: str) -> list[dict[str, Any]]:
    """Letters that ask none to five kinds of question, all of them as often; held-out ones of held-out sentences."""
    random = np.random.default_rng({"train": 0, "test": 1}[split])
    kinds: dict[str, list[str]] = {}
    for row in read(data / "trec" / f"{split}.jsonl"):
        kinds.setdefault(row["label"], []).append(row["text"])
    films = [row["text"] for row in read(data / "sst2" / f"{split}.jsonl")]
    made = []
    for _ in range(LETTERS[split]):
        asked = [str(kind) for kind in random.permutation(sorted(kinds))[: random.integers(MOST_QUESTIONS + 1)]]
        sentences = [films[random.integers(len(films))], *(str(random.choice(kinds[kind])) for kind in asked)]
        made.append({"text": " ".join(random.permutation(sentences)), "labels": asked})
    return made


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def trained(splits: dict[str, list[dict[str, Any]]], strategy: str, seed: int, threads: int | None) -> dict[str, Any]:
    """Answers for the test rows, TF-IDF's scores on them, and seconds of training."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        for split, rows in splits.items():
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (Path(scratch) / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        command = [sys.executable, "-m", "supertune", "train", f"{scratch}/train.jsonl", "--quiet", "--json"]
        command += ["--test", f"{scratch}/test.jsonl", "--out", str(run), "--task", "multilabel", "--model", MODEL]
        command += ["--strategy", strategy, "--seed", str(seed), "--set", "train.checkpoint_every=0"]
        command += ["--set", f"train.threads={threads}"] if threads else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        rows = read(run / "predictions/test.jsonl")
        manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    answers = [{"prediction": row["prediction"], "scores": row["scores"]} for row in rows]
    return {"answers": answers, "tfidf": metrics["test_tfidf"], "seconds": manifest["timings"]["train"]}


def table(name: str, test: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """A line per strategy and seed, and how much better than the frozen encoder fine-tuning is."""
    print(f"\n{name}; n = {len(test):,}")
    for seed in range(options.seeds):
        found: dict[str, Outcome] = {}
        for strategy in STRATEGIES:
            place = options.out / f"{name}-{strategy}-{seed}.json"
            if not place.exists():
                continue
            kept = json.loads(place.read_text(encoding="utf-8"))
            found[strategy] = outcome(test, kept["answers"])
            scores = measure(found[strategy], ["f1_micro", "f1_macro", "subset_accuracy"]).scores
            told = ", ".join(
                f"{key} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]" for key, score in scores.items()
            )
            counted = kept["tfidf"]["f1_micro"]["value"]
            print(f"  seed {seed}, {strategy}: {told}; TF-IDF f1_micro {counted:.3f}; {kept['seconds']:.0f} s")
        if len(found) == len(STRATEGIES):
            score = paired_difference(found["full"], found["probe"], "f1_micro")
            print(f"  seed {seed}, full minus probe: {score.value:+.3f} [{score.low:+.3f}, {score.high:+.3f}]")


def outcome(test: list[dict[str, Any]], answers: list[dict[str, Any]]) -> Outcome:
    """Truth and answers side by side."""
    labels = tuple(answers[0]["scores"])
    truth = np.array([[label in row["labels"] for label in labels] for row in test])
    given = np.array([[label in row["prediction"] for label in labels] for row in answers])
    probabilities = np.array([[row["scores"][label] for label in labels] for row in answers])
    return Outcome(truth, probabilities, labels, "sets", given=given)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default="trec,letters", metavar="SET,...")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/labels"))
    parser.add_argument("--table", action="store_true", help="train nothing, print what is there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
