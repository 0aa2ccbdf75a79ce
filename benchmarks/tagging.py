"""Entities in texts: English with `minilm`, Chinese with `e5-multilingual`, beside a dictionary and a frozen encoder.

Usage: SUPERTUNE_DATA=folder python benchmarks/tagging.py [--seeds 1] [--only CASE …] [--threads N] [--rows 800]
       [--out runs/tagging] [--table]

``supertune train --task tagging`` with its defaults, on texts in which every entity is known, since they are made here
(`tagging_texts`): 800 to train on and 600 to test on, half of whose names no training text has. ``frozen`` is
the encoder as it was pre-trained, under the same head, which alone learns. OUT keeps the answers of every run, so that
differences are paired by text; what is there is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Outcome
from supertune.evaluate import DictionaryBaseline, measure, only_spans, paired_difference
from tagging_texts import texts

CASES = {"english": ("en", "minilm"), "chinese": ("zh", "e5-multilingual")}
LABELS = ("DATE", "LOC", "ORG", "PER")
TEST_ROWS = 600
FROZEN = ("--strategy", "partial", "--set", 'strategy.modules=["classifier"]')


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not ((data / "sick").is_dir() and (data / "waimai_10k.csv").is_file()):
        print("skipped: set SUPERTUNE_DATA to the folder with sick/ and waimai_10k.csv")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        language, model = CASES[name]
        for seed in range(options.seeds):
            splits = {
                "train": texts(data, language, "train", options.rows, seed),
                "test": texts(data, language, "test", TEST_ROWS, seed),
            }
            for kind, more in (("trained", ()), ("frozen", FROZEN)):
                place = options.out / f"{name}-{kind}-{seed}.json"
                if not place.exists() and not options.table:
                    found, seconds = answered(splits, model, seed, options.threads, more)
                    place.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
                    print(f"{name}, {kind}, seed {seed}: {seconds:.0f} s", flush=True)
        table(name, data, options)
    return 0


def answered(
    splits: dict[str, list[dict[str, Any]]], model: str, seed: int, threads: int | None, more: Sequence[str]
) -> tuple[list[Any], float]:
    """The entities given in each test text, and seconds of training."""
    with tempfile.TemporaryDirectory() as scratch:
        for split, rows in splits.items():
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (Path(scratch) / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        run = Path(scratch) / "run"
        command = [
            sys.executable,
            "-m",
            "supertune",
            "train",
            f"{scratch}/train.jsonl",
            "--test",
            f"{scratch}/test.jsonl",
        ]
        command += ["--task", "tagging", "--model", model, "--seed", str(seed), "--out", str(run), "--quiet"]
        command += ["--set", "evaluate.baselines=false", "--set", "train.checkpoint_every=0"]
        command += ["--set", f"train.threads={threads}"] if threads else []
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        rows = (run / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
        seconds = json.loads((run / "manifest.json").read_text())["timings"]["train"]
    return [json.loads(row)["prediction"] for row in rows], seconds


def spans_of(rows: Sequence[Sequence[dict[str, Any]]]) -> Any:
    """Entities as metrics take them."""
    found = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        found[place] = tuple((one["start"], one["end"], LABELS.index(one["label"])) for one in row)
    return found


def table(name: str, data: Path, options: argparse.Namespace) -> None:
    """A line per seed: F1 of all entities, of known and of new words, beside the dictionary and the frozen encoder."""
    language, model = CASES[name]
    print(f"\n{name}, {model}, {options.rows} training texts; F1 of entities in percent, with 95 % intervals")
    values = []
    for seed in range(options.seeds):
        trained, frozen = (options.out / f"{name}-{kind}-{seed}.json" for kind in ("trained", "frozen"))
        if not (trained.exists() and frozen.exists()):
            continue
        learned = texts(data, language, "train", options.rows, seed)
        test = texts(data, language, "test", TEST_ROWS, seed)
        truth = spans_of([row["entities"] for row in test])
        baseline = DictionaryBaseline()
        baseline.fit([row["text"] for row in learned], list(spans_of([row["entities"] for row in learned])))
        looked_up = np.empty(len(test), object)
        for row, found in enumerate(baseline.predict([row["text"] for row in test])):
            looked_up[row] = found
        answers = [spans_of(json.loads(place.read_text(encoding="utf-8"))) for place in (trained, frozen)]
        model_says, bare, dictionary = (
            Outcome(truth, given, LABELS, "spans") for given in (answers[0], answers[1], looked_up)
        )
        parts = [part(model_says, learned, test, known=known) for known in (True, False)]
        count = sum(map(len, truth))
        new = sum(map(len, parts[1].targets))
        ahead = [paired_difference(model_says, other, "f1_micro") for other in (dictionary, bare)]
        print(
            f"  seed {seed}, n = {len(test)} texts, {count} entities ({new} of new words): {told(model_says)}; "
            f"known words {told(parts[0])}, new words {told(parts[1])}; characters alone "
            f"{told(model_says, 'f1_boundaries')}\n"
            f"    dictionary {told(dictionary)}, ahead by {difference(ahead[0])}; frozen {told(bare)}, ahead by "
            f"{difference(ahead[1])}"
        )
        values.append(100 * measure(model_says, ["f1_micro"]).scores["f1_micro"].value)
    if len(values) > 1:
        print(f"  mean {statistics.mean(values):.1f}, standard deviation {statistics.stdev(values):.1f}")


def part(
    outcome: Outcome, learned: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]], *, known: bool
) -> Outcome:
    """The entities alone whose words a training entity has, or has not."""
    words = {row["text"][one["start"] : one["end"]] for row in learned for one in row["entities"]}
    return only_spans(outcome, lambda row, span: (test[row]["text"][span[0] : span[1]] in words) == known)


def told(outcome: Outcome, metric: str = "f1_micro") -> str:
    """A score in percent with its interval."""
    score = measure(outcome, [metric]).scores.get(metric)
    return "–" if score is None else f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def difference(score: Any) -> str:
    """A difference in points with its interval."""
    return f"{100 * score.value:+.1f} [{100 * score.low:+.1f}, {100 * score.high:+.1f}]"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--out", type=Path, default=Path("runs/tagging"))
    parser.add_argument("--table", action="store_true", help="print only the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
