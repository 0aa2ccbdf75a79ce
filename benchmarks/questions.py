"""Questions on texts: XQuAD in English, CMRC 2018 in Chinese, and from English to Chinese, beside an untrained head.

Usage: SUPERTUNE_DATA=folder python benchmarks/questions.py [--seeds 5] [--only CASE …] [--threads N]
       [--out runs/questions] [--table]

``supertune train --task extractive-qa`` with its defaults. ``xquad``: `minilm` on the 48 articles of XQuAD in English,
divided by article anew for every seed. ``cmrc``: `e5-multilingual` on CMRC's 1,002 trial questions, scored on 264 texts
of dev with their questions, about 1,000, drawn. ``crossing``: `e5-multilingual` on the English articles, scored on the
Chinese form of those that it did not read in English. Those two learn for 2 epochs instead of the 6 that so few rows
get by default: a core takes three hours for those. ``untrained`` is the same at a rate of nearly nothing: the encoder
as it was pre-trained under a head that was only drawn. OUT keeps truth and answers of every run, so that differences
are paired by row; what is there is not trained again, and what was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Outcome
from supertune.evaluate import measure, paired_difference

UNTRAINED = ("--set", "train.learning_rate=1e-12", "--set", "train.epochs=1", "--set", "train.restarts=0")
HELD_OUT = 12
"""Articles of XQuAD's 48 that the crossing is scored on."""
SCORED_TEXTS = 264
"""Of CMRC's 848 texts of dev."""
FEW = 12
"""Articles that stand for the training rows where nothing is learned from them: enough to be divided by article."""


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        model: What is fine-tuned.
        rules: End of the names of the metrics that suit its test texts.
        more: Settings that are not the defaults.
    """

    model: str
    rules: str
    more: tuple[str, ...] = ()


_SHORT = ("--set", "train.epochs=2")
CASES = {
    "xquad": Case("minilm", ""),
    "cmrc": Case("e5-multilingual", "_cmrc", _SHORT),
    "crossing": Case("e5-multilingual", "_cmrc", _SHORT),
}


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not ((data / "xquad").is_dir() and (data / "cmrc2018").is_dir()):
        print("skipped: set SUPERTUNE_DATA to the folder with xquad/ and cmrc2018/")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        for seed in range(options.seeds):
            for kind, more in (("trained", CASES[name].more), ("untrained", UNTRAINED)):
                place = options.out / f"{name}-{kind}-{seed}.json"
                if not place.exists() and not options.table:
                    rows, seconds = answered(name, data, seed, options.threads, more, place.with_suffix(""))
                    place.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
                    shutil.rmtree(place.with_suffix(""))
                    print(f"{name}, {kind}, seed {seed}: {seconds:.0f} s", flush=True)
        table(name, options.out, options.seeds)
    return 0


def answered(
    name: str, data: Path, seed: int, threads: int | None, more: Sequence[str], run: Path
) -> tuple[list[dict[str, Any]], float]:
    """The test rows' right answers (``truth``) and the one given (``answer``), and seconds of training.

    A run that was broken off goes on; its folder goes when its answers are kept.
    """
    command = [sys.executable, "-m", "supertune", "resume", str(run), "--quiet"]
    if not (run / "checkpoints").is_dir():
        shutil.rmtree(run, ignore_errors=True)
        command = [
            sys.executable,
            "-m",
            "supertune",
            "train",
            *files(name, data, seed, run.parent, few=more is UNTRAINED),
            "--quiet",
        ]
        command += ["--task", "extractive-qa", "--model", CASES[name].model, "--seed", str(seed), "--out", str(run)]
        command += ["--set", "evaluate.baselines=false", "--set", f"data.split_seed={seed}"]
        command += ["--set", f"train.threads={threads}"] if threads else []
        command += more
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    lines = (run / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    seconds = json.loads((run / "manifest.json").read_text())["timings"]["train"]
    rows = [json.loads(line) for line in lines]
    found = [{"truth": [told["text"] for told in row["answers"]], "answer": row["prediction"]} for row in rows]
    return found, seconds


def files(name: str, data: Path, seed: int, scratch: Path, *, few: bool) -> list[str]:
    """The data of a case on the command line; what has to be cut first goes into ``scratch``."""
    if name == "xquad":
        return [str(data / "xquad/xquad.en.json")]
    draw = random.Random(seed)
    if name == "cmrc":
        trial, dev = (articles(data / f"cmrc2018/cmrc2018_{part}.json") for part in ("trial", "dev"))
        parts = {"train": trial, "test": draw.sample(dev, SCORED_TEXTS)}
    else:
        # The two files hold the same articles in the same order.
        english, chinese = (articles(data / f"xquad/xquad.{language}.json") for language in ("en", "zh"))
        held_out = set(draw.sample(range(len(english)), HELD_OUT))
        parts = {
            "train": [article for place, article in enumerate(english) if place not in held_out],
            "test": [article for place, article in enumerate(chinese) if place in held_out],
        }
    parts["train"] = parts["train"][: FEW if few else None]
    places = {split: scratch / f"{name}-{seed}-{split}{'-few' * few}.data.json" for split in parts}
    for split, cut in parts.items():
        places[split].write_text(json.dumps({"data": cut}, ensure_ascii=False), encoding="utf-8")
    return [str(places["train"]), "--test", str(places["test"])]


def articles(file: Path) -> list[Any]:
    """The articles of a file, each with its texts and their questions."""
    found: list[Any] = json.loads(file.read_text(encoding="utf-8"))["data"]
    return found


def outcome(place: Path) -> Outcome:
    """What was kept of a run."""
    rows = json.loads(place.read_text(encoding="utf-8"))
    truths, answers = np.empty(len(rows), object), np.empty(len(rows), object)
    for index, row in enumerate(rows):
        truths[index], answers[index] = tuple(row["truth"]), row["answer"]
    return Outcome(truths, answers, answers="answers")


def table(name: str, out: Path, seeds: int) -> None:
    """A line per seed, and by how much training is better than an untrained head."""
    metrics = [f"{metric}{CASES[name].rules}" for metric in ("exact_match", "f1")]
    print(f"\n{name}, {CASES[name].model}; {' and '.join(metrics)} in percent")
    values: list[list[float]] = []
    for seed in range(seeds):
        trained, untrained = (out / f"{name}-{kind}-{seed}.json" for kind in ("trained", "untrained"))
        if not (trained.exists() and untrained.exists()):
            continue
        found, bare = outcome(trained), outcome(untrained)
        scores, others = measure(found, metrics).scores, measure(bare, metrics).scores
        told = [f"{100 * scores[m].value:.1f} [{100 * scores[m].low:.1f}, {100 * scores[m].high:.1f}]" for m in metrics]
        beside = ", ".join(f"{100 * others[metric].value:.1f}" for metric in metrics)
        ahead = paired_difference(found, bare, metrics[1])
        span = f"{100 * ahead.value:+.1f} [{100 * ahead.low:+.1f}, {100 * ahead.high:+.1f}]"
        print(f"  seed {seed}, n = {len(found):,}: {', '.join(told)}; untrained {beside}; F1 ahead by {span}")
        values.append([100 * scores[metric].value for metric in metrics])
    if len(values) > 1:
        for metric, column in zip(metrics, zip(*values, strict=True), strict=True):
            print(f"  {metric}: mean {statistics.mean(column):.1f}, standard deviation {statistics.stdev(column):.1f}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/questions"))
    parser.add_argument("--table", action="store_true", help="print only the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
