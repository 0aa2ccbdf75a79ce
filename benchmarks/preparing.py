"""What one preparation repairs of planted faults, and what that is worth: SST-2 with minilm, waimai with e5.

Usage: SUPERTUNE_DATA=folder python benchmarks/preparing.py [--only sst2 waimai] [--rows 2000] [--seeds 3]
       [--threads N] [--out runs/preparing] [--table] [--no-training]

Of each set so many rows are drawn to learn from and 1,000 to be tested on. `dirt.py` plants faults in the first. A
preparation (`PREPARATION` below, with the script's own step) is done with ``supertune clean``; for every fault this
tells how much of it was repaired (recall) and how much of what its step did was called for (precision). Then the same
command trains on the rows as they were, dirty, and repaired, and is tested on the same rows. OUT keeps every run's
predictions; what is there is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import supertune
from dirt import Dirty, Row, dirtied

SETS = {"sst2": ("minilm", False), "waimai": ("e5-multilingual", True)}
TESTED = 1000
REASONS = {
    "exact copy": ("repeats a row",),
    "near copy": ("nearly the same as another row",),
    "leaked": ("stands in test", "nearly the same as a row of test"),
    "flipped": ("label",),
}
"""Fault → how the reasons begin for which its rows go."""
RESAMPLES = 2000
PREPARATION = """\
data:
  source: dirty.jsonl
  test: test.jsonl
  text: [text]
  label: label
steps:
  - encoding
  - html
  - {form}
  - control-characters
  - whitespace
  - pii
  - missing
  - exact-duplicates
  - near-duplicates
  - leakage
  - label-errors
"""


def main() -> int:
    """Prepare, train what is missing, and print the tables; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "sst2").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with sst2/ and waimai_10k.csv")
        return 0
    for name in options.only:
        model, chinese = SETS[name]
        for seed in range(options.seeds):
            folder = options.out / f"{name}-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            prepare(name, data, folder, options.rows, chinese, seed)
            if options.training and not options.table:
                for kind in ("original", "dirty", "repaired"):
                    train(folder, kind, model, seed, options.threads)
        faults(name, options.out, options.seeds)
        accuracies(name, options.out, options.seeds)
    return 0


def prepare(name: str, data: Path, folder: Path, count: int, chinese: bool, seed: int) -> None:
    """Draw rows, dirty them, and repair them; nothing where that was done."""
    if (folder / "faults.json").exists():
        return
    learned, tested = drawn(name, data, count, seed)
    labels = sorted({row["label"] for row in learned})
    dirty = dirtied(learned, tested, labels, chinese, seed)
    for file, rows in (("original", learned), ("dirty", dirty.rows), ("test", tested)):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{file}.jsonl").write_text(content, encoding="utf-8")
    (folder / "preparation.yaml").write_text(PREPARATION.replace("{form}", "script" if chinese else "width"))
    shutil.rmtree(folder / "repaired", ignore_errors=True)
    supertune.clean(folder / "preparation.yaml", out=folder / "repaired")
    (folder / "faults.json").write_text(json.dumps(counted(dirty, folder / "repaired")))


def drawn(name: str, data: Path, count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Rows to learn from and to be tested on, no text twice."""
    if name == "sst2":
        rows = lines(data / "sst2/train.jsonl")
    else:
        with (data / "waimai_10k.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {"text": row["review"], "label": "好评" if row["label"] == "1" else "差评"}
                for row in csv.DictReader(file)
            ]
    rows = list({" ".join(row["text"].split()): row for row in rows if len(row["text"].strip()) > 5}.values())
    random.Random(1000 + seed).shuffle(rows)
    return rows[:count], rows[count : count + TESTED]


def counted(dirty: Dirty, repaired: Path) -> dict[str, dict[str, int]]:
    """What became of every fault.

    How many rows have it (``planted``), how many of these were repaired (``found``), how many rows its step changed or
    left out (``touched``), and how many of these had it (``called``).
    """
    gone: dict[int, str] = {}
    for row in lines(repaired / "removed.jsonl"):
        if row["split"] == "train":
            gone[row["row"]] = row["reason"]
    kept = [place for place in range(len(dirty.rows)) if place not in gone]
    after = dict(zip(kept, [row["text"] for row in lines(repaired / "train.jsonl")], strict=True))
    told: dict[str, dict[str, int]] = {}
    for kind in ("encoding", "html", "width", "pii"):
        planted = {place for place in dirty.faults[kind] if place in after}
        told[kind] = {
            "planted": len(planted),
            "found": sum(mended(kind, dirty, place, after[place]) for place in planted),
        }
    changed = {place for place in kept if after[place].split() != dirty.rows[place]["text"].split()}
    spoilt = set().union(*(dirty.faults[kind] for kind in ("encoding", "html", "width", "pii")))
    told["texts changed"] = {"touched": len(changed), "called": len(changed & spoilt)}
    for kind, reasons in REASONS.items():
        planted = dirty.faults[kind]
        out = {place for place, reason in gone.items() if any(part in reason for part in reasons)}
        # Of two copies either may go; and what went for another reason is gone as well.
        found = min(len(planted), len(out)) if "copy" in kind else len(planted & set(gone))
        called = min(len(planted), len(out)) if "copy" in kind else len(out & planted)
        told[kind] = {"planted": len(planted), "found": found, "touched": len(out), "called": called}
    return told


def lines(file: Path) -> list[Any]:
    """The rows of a file of JSON Lines; texts may hold what Python takes for ends of lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def mended(kind: str, dirty: Dirty, place: int, text: str) -> bool:
    """Whether a text became what it was before the fault."""
    if kind == "pii":
        return "[EMAIL]" in text or "[PHONE]" in text
    return same(text, str((dirty.right[place] or {}).get("text")))


def same(one: str, other: str) -> bool:
    """Whether two texts say the same but for white space, and for quotation marks that the fault itself put around."""
    typed = {"’s": " 's", "n’t": " n't", "—": "--", "…": "...", "“": "", "”": ""}
    for sign, plain in typed.items():
        one, other = one.replace(sign, plain), other.replace(sign, plain)
    return one.split() == other.split()


def train(folder: Path, kind: str, model: str, seed: int, threads: int | None) -> None:
    """Train on one of the three sets and keep what was right; nothing where that was done."""
    place = folder / f"{kind}.json"
    if place.exists():
        return
    run = folder / f"run-{kind}"
    shutil.rmtree(run, ignore_errors=True)
    source = folder / "repaired" / "train.jsonl" if kind == "repaired" else folder / f"{kind}.jsonl"
    command = [sys.executable, "-m", "supertune", "train", str(source), "--test", str(folder / "test.jsonl")]
    command += [
        "--model",
        model,
        "--seed",
        str(seed),
        "--out",
        str(run),
        "--quiet",
        "--set",
        "evaluate.baselines=false",
    ]
    # Leaks above 5 % stop training, and here they are the point.
    command += ["--set", "data.allow=[leakage,label-conflicts,near-duplicates]"]
    command += ["--set", f"train.threads={threads}"] if threads else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    right = [int(row["prediction"] == row["label"]) for row in lines(run / "predictions/test.jsonl")]
    place.write_text(json.dumps(right))
    shutil.rmtree(run)
    print(f"{folder.name}, {kind}: {100 * statistics.mean(right):.1f} %", flush=True)


def faults(name: str, out: Path, seeds: int) -> None:
    """Recall and precision of every fault, over all seeds."""
    total: dict[str, dict[str, int]] = {}
    for seed in range(seeds):
        place = out / f"{name}-{seed}" / "faults.json"
        if place.exists():
            for kind, counts in json.loads(place.read_text()).items():
                for key, count in counts.items():
                    total.setdefault(kind, {}).setdefault(key, 0)
                    total[kind][key] += count
    print(f"\n{name}: fault, planted, recall; rows touched, precision")
    for kind, counts in total.items():
        recall = (
            f"{counts['planted']:5d} {counts['found'] / max(counts['planted'], 1):6.1%}" if "planted" in counts else ""
        )
        precise = (
            f"{counts['touched']:5d} {counts['called'] / max(counts['touched'], 1):6.1%}" if "touched" in counts else ""
        )
        print(f"  {kind:22} {recall:14} {precise}")


def accuracies(name: str, out: Path, seeds: int) -> None:
    """Accuracy of the three sets, and how much of the gap is closed, resampled over test rows.

    Once over all test rows and once without those that leaked, of which the dirty set knows the answers.
    """
    found: dict[str, list[Any]] = {"original": [], "dirty": [], "repaired": []}
    leaked: list[Any] = []
    for seed in range(seeds):
        folder = out / f"{name}-{seed}"
        places = {kind: folder / f"{kind}.json" for kind in found}
        if all(place.exists() for place in places.values()):
            for kind, place in places.items():
                found[kind].append(json.loads(place.read_text()))
            learned = {row["text"] for row in lines(folder / "dirty.jsonl")}
            leaked.append([row["text"] in learned for row in lines(folder / "test.jsonl")])
    if not found["original"]:
        return
    arrays = {kind: np.array(runs, float) for kind, runs in found.items()}
    compared("all test rows", arrays)
    compared("without leaked rows", {kind: np.where(leaked, np.nan, array) for kind, array in arrays.items()})


def compared(what: str, arrays: Mapping[str, Any]) -> None:
    """Print accuracies and gap. ``arrays``: set → whether it was right, float (seeds, rows); NaN: not asked."""
    print(f"  {what}")
    rng = np.random.default_rng(0)
    shape = arrays["original"].shape
    draws = [resampled(arrays, rng, shape) for _ in range(RESAMPLES)]
    for kind, array in arrays.items():
        told = ", ".join(f"{100 * value:.1f}" for value in np.nanmean(array, axis=1))
        print(f"  {kind}: {100 * np.nanmean(array):.1f} % ({told})")
    point = gap(arrays)
    for place, told in enumerate(("dirty loses", "repaired wins back")):
        low, high = np.percentile([draw[place] for draw in draws], [2.5, 97.5])
        print(f"  {told} {100 * point[place]:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]")
    # Of a gap that may be none there is no share.
    if np.percentile([draw[0] for draw in draws], 2.5) > 0:
        print(f"  of the gap {point[1] / point[0]:.0%} is closed, n = {shape[1]} rows, {shape[0]} seeds")


def gap(arrays: Mapping[str, Any]) -> tuple[float, float]:
    """Original minus dirty, and repaired minus dirty."""
    dirty = float(np.nanmean(arrays["dirty"]))
    return float(np.nanmean(arrays["original"])) - dirty, float(np.nanmean(arrays["repaired"])) - dirty


def resampled(arrays: Mapping[str, Any], rng: np.random.Generator, shape: Sequence[int]) -> tuple[float, float]:
    """The same of rows drawn with repeats, seed by seed, the same ones for all three."""
    rows = rng.integers(shape[1], size=shape)
    return gap({kind: np.take_along_axis(array, rows, 1) for kind, array in arrays.items()})


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=tuple(SETS), default=list(SETS))
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/preparing"))
    parser.add_argument("--table", action="store_true", help="print only the tables")
    parser.add_argument("--no-training", dest="training", action="store_false", help="only the faults")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
