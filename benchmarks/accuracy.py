"""Test accuracy with the defaults on public data: SST-2 with minilm, and waimai reviews with e5-multilingual.

Usage: SUPERTUNE_DATA=folder python benchmarks/accuracy.py [sst2|waimai] [--seeds 3] [--out folder]

SST-2: all 6,920 training rows, its own validation and test files. waimai_10k: for each seed 3,000 training,
1,000 validation and 3,000 test rows, drawn without repeats. Each run is the real command in a process of its own.
Prints each run's accuracy with its interval beside TF-IDF + logistic regression, and the mean over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

WAIMAI_ROWS = {"train": 3000, "validation": 1000, "test": 3000}


def main() -> int:
    """Run what was asked for; skip with a word when the data are not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="*", default=["sst2", "waimai"], choices=["sst2", "waimai"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="keep the runs here")
    options = parser.parse_args()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "sst2").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with sst2/ and waimai_10k.csv")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        for name in options.what:
            runs = [measure(name, data, Path(scratch), out / f"{name}-{seed}", seed) for seed in range(options.seeds)]
            accuracies = [run["metrics"]["test"]["accuracy"]["value"] for run in runs]
            spread = f", standard deviation {100 * statistics.stdev(accuracies):.1f}" if len(accuracies) > 1 else ""
            print(f"{name}: mean of {len(runs)} seeds {100 * statistics.mean(accuracies):.1f} %{spread}\n", flush=True)
    return 0


def measure(name: str, data: Path, scratch: Path, out: Path, seed: int) -> dict[str, Any]:
    """One run of the command; prints a line and returns what ``--json`` gave."""
    files, model = (sst2(data), "minilm") if name == "sst2" else (waimai(data, scratch, seed), "e5-multilingual")
    command = [sys.executable, "-c", "from supertune.cli import main; main()", "train", str(files["train"])]
    command += ["--validation", str(files["validation"]), "--test", str(files["test"]), "--model", model]
    command += ["--seed", str(seed), "--out", str(out), "--json", "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    run: dict[str, Any] = json.loads(done.stdout)
    seconds = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["timings"]["train"]
    scores = {key: run["metrics"][key]["accuracy"] for key in ("test", "test_tfidf")}
    model_score, words = (
        f"{100 * score['value']:.1f} % [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"
        for score in scores.values()
    )
    print(f"{name} seed {seed}: {model_score}, TF-IDF {words}, trained in {seconds:.0f} s", flush=True)
    return run


def sst2(data: Path) -> dict[str, Path]:
    """The files as they are."""
    names = {"train": "train", "validation": "dev", "test": "test"}
    return {split: data / "sst2" / f"{name}.jsonl" for split, name in names.items()}


def waimai(data: Path, scratch: Path, seed: int) -> dict[str, Path]:
    """A draw of rows without repeats, as three files."""
    with (data / "waimai_10k.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    order = np.random.default_rng(seed).permutation(len(rows))
    files, start = {}, 0
    for split, count in WAIMAI_ROWS.items():
        files[split] = scratch / f"waimai-{seed}-{split}.csv"
        with files[split].open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows[index] for index in order[start : start + count])
        start += count
    return files


if __name__ == "__main__":
    sys.exit(main())
