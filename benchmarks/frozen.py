"""What an epoch costs when the layers that do not learn are recalled from the disk: probe and partial beside full.

Usage: SUPERTUNE_DATA=folder python benchmarks/frozen.py [--rows 1500] [--rounds 5]

SST-2 on minilm, batch 16. Every round takes one epoch of each, the frozen layers' states at hand, in turns and in one
process: what a second epoch and every one after it costs. Told is the median over rounds, and how many times as long
an epoch of full fine-tuning takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from training import prepared

CHOICES: dict[str, dict[str, object]] = {
    "full": {"strategy.name": "full"},
    "partial, 2 layers": {"strategy.name": "partial", "strategy.layers": 2},
    "partial, 1 layer": {"strategy.name": "partial", "strategy.layers": 1},
    "probe": {"strategy.name": "probe"},
}


def main() -> int:
    """Time epochs; skip with a word when the data are not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    data = Path(os.environ.get("SUPERTUNE_DATA", "")) / "sst2"
    if not data.is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with sst2/")
        return 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        epochs = {name: epoch_of(data, options.rows, how, Path(folder) / name) for name, how in CHOICES.items()}
        seconds: dict[str, list[float]] = {name: [] for name in CHOICES}
        for number in range(options.rounds + 1):
            for name, epoch in epochs.items():
                begun = time.perf_counter()
                epoch()
                if number:  # The first one allocates and compiles.
                    seconds[name].append(time.perf_counter() - begun)
    for name, found in seconds.items():
        ratios = [full / taken for full, taken in zip(seconds["full"], found, strict=True)]
        print(
            f"{name}: {statistics.median(found):.2f} s an epoch ({min(found):.2f} to {max(found):.2f}), "
            f"{statistics.median(ratios):.1f} × as quick as full ({min(ratios):.1f} to {max(ratios):.1f})"
        )
    return 0


def epoch_of(data: Path, rows: int, how: dict[str, object], folder: Path) -> Callable[[], None]:
    """What takes one epoch of a strategy."""
    from supertune.train import train

    training, _ = prepared(data, rows=rows, seed=0, epochs=1, settings=how, folder=folder)

    def epoch() -> None:
        for _ in train(training.learner, training.features["train"], lambda step: 0.1, training.plan):
            pass

    return epoch


if __name__ == "__main__":
    sys.exit(main())
