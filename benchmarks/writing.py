"""What a model learns to write: translations, summaries, answers; beside itself before training, shown four examples.

Usage: SUPERTUNE_DATA=folder python benchmarks/writing.py [--only CASE …] [--seed 0] [--threads N] [--out runs/writing]
       [--table] [-- further options of supertune train]

``supertune train`` with its defaults (`gemma-270m`, LoRA). ``translation``: 2,000 pairs of Tatoeba, English to Chinese,
every sentence once, scored on 200 others. ``summarization``: DialogSum's 500 dialogues, 400 learned and 100 scored;
``alpaca-en`` and ``alpaca-zh``: 1,000 instructions, 900 learned and 100 scored. Those three twice, on hundreds that
have no row in common, so that 200 texts are compared. The baseline is the same model before training with four of the
training rows in its prompt, cut where it begins another (see docs/generative.md): a model that is merely asked follows
no instruction. OUT keeps what both wrote for every row, and differences are paired by row; what is there is not trained
again, and what was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Outcome, Score
from supertune.evaluate import measure, paired_difference

RIVAL, BITS = "few_shot", "bits_per_character"


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        file: The rows, in the folder of the data.
        task: What is learned.
        answers: The column with what people wrote.
        learned: Training rows.
        scored: Test rows of a part.
        parts: How often, on test rows of their own.
        metrics: What is compared.
    """

    file: str
    task: str
    answers: str
    learned: int
    scored: int
    parts: int
    metrics: tuple[str, ...]


CASES = {
    "translation": Case("tatoeba_en_zh.jsonl", "translation", "zh", 2000, 200, 1, ("bleu", "chrf")),
    "summarization": Case(
        "dialogsum_dev.jsonl", "summarization", "summary", 400, 100, 2, ("rouge1", "rouge2", "rougeL", "chrf")
    ),
    "alpaca-en": Case("alpaca/alpaca_en_demo.json", "chat", "output", 899, 100, 2, ("chrf", "rougeL")),
    "alpaca-zh": Case("alpaca/alpaca_zh_demo.json", "chat", "output", 900, 100, 2, ("chrf", "rougeL")),
}


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "alpaca").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with alpaca/, dialogsum_dev.jsonl and tatoeba_en_zh.jsonl")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        for part in range(CASES[name].parts):
            place = kept_at(options, name, part)
            if place.exists() or options.table:
                continue
            found = written(name, part, data, options, place.with_suffix(""))
            place.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
            shutil.rmtree(place.with_suffix(""))
            print(f"{name}, part {part}: {found['seconds']}", flush=True)
        table(name, options)
    return 0


def written(name: str, part: int, data: Path, options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """What the model and its rival wrote for the test rows of a part, its scores, and the seconds that each step took.

    A run that was broken off goes on; its folder goes when its answers are kept.
    """
    case = CASES[name]
    command = [sys.executable, "-m", "supertune", "resume", str(run), "--quiet"]
    if not (run / "checkpoints").is_dir():
        shutil.rmtree(run, ignore_errors=True)
        learned, scored = files(name, part, data, options.seed, run.parent)
        command = [sys.executable, "-m", "supertune", "train", str(learned), "--test", str(scored), "--quiet"]
        command += ["--task", case.task, "--model", "gemma-270m", "--seed", str(options.seed), "--out", str(run)]
        command += ["--set", f"train.threads={options.threads}"] if options.threads else []
        command += options.more
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    ours, theirs = (lines(run / f"predictions/{split}.jsonl") for split in ("test", f"test_{RIVAL}"))
    said = {row["row"]: row["prediction"] for row in ours}
    return {
        "rows": [{"truth": row[case.answers], "ours": said[row["row"]], "theirs": row["prediction"]} for row in theirs],
        "seconds": json.loads((run / "manifest.json").read_text(encoding="utf-8"))["timings"],
        "metrics": json.loads((run / "metrics.json").read_text(encoding="utf-8")),
    }


def files(name: str, part: int, data: Path, seed: int, scratch: Path) -> tuple[Path, Path]:
    """Training and test rows of a part, in ``scratch``."""
    case, found = CASES[name], shuffled(data / CASES[name].file, seed)
    first = part * case.scored
    scored, rest = found[first : first + case.scored], found[:first] + found[first + case.scored :]
    places = tuple(scratch / f"{name}-{seed}-{part}-{split}.data.jsonl" for split in ("train", "test"))
    for place, rows in zip(places, (rest[: case.learned], scored), strict=True):
        said = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        place.write_text(said, encoding="utf-8")
    return places[0], places[1]


def shuffled(file: Path, seed: int) -> list[dict[str, Any]]:
    """The rows of a file in an order drawn, without those that say again what another has said."""
    text = file.read_text(encoding="utf-8")
    rows = json.loads(text) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    random.Random(seed).shuffle(rows)
    if "zh" not in rows[0]:
        return rows
    known: set[str] = set()
    kept = []
    for row in rows:
        if not known & {row["en"], row["zh"]}:
            kept.append({"en": row["en"], "zh": row["zh"]})
            known |= {row["en"], row["zh"]}
    return kept


def lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a file, one in each line."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def kept_at(options: argparse.Namespace, name: str, part: int) -> Path:
    """Where the texts of a part are kept."""
    place: Path = options.out / f"{name}-{options.seed}-{part}.json"
    return place


def table(name: str, options: argparse.Namespace) -> None:
    """Scores of both over all parts that are there, and the paired differences."""
    case = CASES[name]
    found = [
        json.loads(kept_at(options, name, part).read_text(encoding="utf-8"))
        for part in range(case.parts)
        if kept_at(options, name, part).exists()
    ]
    if not found:
        return
    rows = [row for part in found for row in part["rows"]]
    ours, theirs = (outcome(rows, who) for who in ("ours", "theirs"))
    print(f"\n{name}: {len(found)} of {case.parts} parts, n = {len(rows)}, seed {options.seed}")
    scores, others = (measure(each, case.metrics).scores for each in (ours, theirs))
    for metric in case.metrics:
        report(metric, scores[metric], others[metric], paired_difference(ours, theirs, metric), 100)
    ours, theirs = (cost(rows, who) for who in ("our", "their"))
    scores, others = (measure(each, (BITS,)).scores for each in (ours, theirs))
    report(BITS, scores[BITS], others[BITS], paired_difference(ours, theirs, BITS), 1)
    for number, part in enumerate(found):
        print(f"  part {number}: seconds {part['seconds']}")


def report(metric: str, ours: Score, theirs: Score, ahead: Score, factor: int) -> None:
    """A line of the table; ``factor`` is 100 for what is told in percent."""
    form = ".1f" if factor == 100 else ".3f"

    def told(score: Score, sign: str = "") -> str:
        value, low, high = (format(factor * each, sign + form) for each in (score.value, score.low, score.high))
        return f"{value} [{low}, {high}]"

    print(f"  {metric:18} {told(ours):>22}   shown four examples {told(theirs):>22}   difference {told(ahead, '+')}")


def cost(rows: Sequence[dict[str, Any]], who: str) -> Outcome:
    """How likely one of the two found what people wrote; tokens are not told apart."""
    characters = np.array([len(row["truth"]) for row in rows], np.int64)
    bits = np.array([row[f"{who}_bits"] for row in rows])
    return Outcome(np.stack([characters] * 2, axis=1), bits * characters * math.log(2), answers="likelihoods")


def outcome(rows: Sequence[dict[str, Any]], who: str) -> Outcome:
    """What one of the two wrote beside what people did."""
    truths, texts = np.empty(len(rows), object), np.empty(len(rows), object)
    for index, row in enumerate(rows):
        truths[index], texts[index] = (row["truth"],), row[who]
    return Outcome(truths, texts, answers="generated")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/writing"))
    parser.add_argument("--table", action="store_true", help="print only the table")
    parser.add_argument("more", nargs="*", help="further options of supertune train")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
