"""Runs that are killed at random instants and resumed come to the same model as one that was left alone.

    python benchmarks/soak.py [--kills 50] [--seed 0] [--precision fp32|bf16] [--set KEY=VALUE ...]

A small BERT learns from 240 short texts, dropout on, with a checkpoint every 5 of 60 steps. Each run is killed with
signal 9 at an instant drawn over its usual time, or at a named point inside saving, resumed, perhaps killed again, and
so on until it is done. Then its weights, scores and answers must be those of the run that was left alone, bit by bit,
and every resume must have begun at the newest checkpoint that was whole. Instants and points follow from the seed;
what an instant finds the process at depends on the machine. Exit code 1 when something was lost.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"


def main() -> int:
    """Soak, and print what happened."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further configuration")
    options = parser.parse_args()
    sys.path[:0] = [str(TESTS), str(TESTS / "cli")]
    from soak_loop import random_deaths, soak, usual_seconds
    from soak_runs import BF16, EVERY, FP32, Workshop, last_step

    from warm_processes import WarmProcesses

    settings = FP32 if options.precision == "fp32" else BF16
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="supertune-soak-") as folder, WarmProcesses(Path(folder)) as processes:
        workshop = Workshop.make(Path(folder), processes, (*settings, *options.set))
        reference = workshop.folder / "reference"
        usual = usual_seconds(workshop, reference)
        steps, size = last_step(reference), (reference / "model" / "model.safetensors").stat().st_size
        print(f"left alone, a run takes {usual:.1f} s for {steps} steps; weights of {size:,} bytes", flush=True)
        deaths = random_deaths(random.Random(options.seed), usual)
        tally = soak(workshop, reference, options.kills, deaths, lambda so_far: print(".", end="", flush=True))
    print(
        f"\n{options.precision}: {tally.kills} kills, {tally.resumes} resumes, {tally.runs} runs that came to their end"
    )
    for name, count in tally.phases.most_common():
        print(f"  {name:24}{count:4}")
    for name, count in sorted(tally.points.items()):
        print(f"    {name:22}{count:4}")
    lost = tally.lost or [0]
    print(f"steps done again: {sum(lost) / len(lost):.1f} on average, {max(lost)} at most; a checkpoint every {EVERY}")
    print(f"weights, scores and answers as left alone, every resume from the newest checkpoint: {not tally.wrong}")
    for line in tally.wrong:
        print(f"  wrong: {line}")
    print(f"{time.monotonic() - begun:.0f} s")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
