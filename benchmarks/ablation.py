"""Which parts of the training recipe earn their place: variants of the defaults on 500 rows of TREC and of SST-2.

Usage: SUPERTUNE_DATA=folder python benchmarks/ablation.py [--seeds 5] [--more 10] [--budget MINUTES] [--table]
       [--only VARIANT,...] [--sets trec,sst2] [--rows 500] [--validation 200] [--epochs N] [--out runs/ablation]

One process, which can be stopped and started again: what OUT/ablation.jsonl holds is not trained again. Seed by seed
over all variants and sets, so that stopping early leaves a balanced table; then the variants that are undecided go on
to ``--more`` seeds. Rows are drawn by seed, stratified, from the set's training file: to learn from, and others to
choose the epoch by; the test file is looked at once per run. Machine-dependent choices (threads, precision, attention)
are made once and kept in OUT/settled.json. The tables go to OUT/ablation.md; ``--table`` writes only those.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ablation_runs import MODEL, SETS, VARIANTS, Bench, Results, Size, configuration
from ablation_table import BASE, render, undecided
from supertune.config import Config
from supertune.files import write_text


def work(bench: Bench, results: Results, plan: Iterator[tuple[int, str, str]], deadline: float) -> bool:
    """Train what is missing of the plan; False if the time was up before the end."""
    missing = [(seed, variant, name) for seed, variant, name in plan if (variant, name, seed) not in results.found]
    begun = time.monotonic()
    for done, (seed, variant, name) in enumerate(missing):
        if time.monotonic() >= deadline:
            print(f"the time is up with {len(missing) - done} runs to go; start again to go on")
            return False
        result = bench.run(variant, name, seed)
        results.add(result)
        # Models hold each other in cycles, and are large.
        gc.collect()
        left = (time.monotonic() - begun) / (done + 1) * (len(missing) - done - 1) / 60
        accuracy = f"{100 * result.scores['accuracy']:.1f} %" if result.scores else "diverged"
        told = f"seed {seed} {name} {variant}: {accuracy}, epoch {result.best_epoch}, {result.seconds:.0f} s"
        print(f"{told} ({done + 1} of {len(missing)}, about {left:.0f} min left)", flush=True)
    return True


def write_tables(options: argparse.Namespace, results: Results, size: Size) -> None:
    """OUT/ablation.md, and the same on standard output."""
    config = configuration(BASE, 0, size).train
    about = (
        f"{MODEL}, {size.rows} training and {size.validation} validation rows, the whole test file. `{BASE}` is the "
        f"default recipe, which stands for {config.epochs} epochs here, a rate of {config.learning_rate:g} and batches "
        f"of {config.batch_size} rows. Measured on {platform.machine()}, {os.cpu_count()} cores."
    )
    if not results.found:
        print("there are no results yet")
        return
    text = render(results.all(), options.only, options.sets, about)
    write_text(options.out / "ablation.md", text)
    print(f"\n{text}")


def main() -> int:
    """Run what was asked for; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not options.table and not all((data / name).is_dir() for name in options.sets):
        print(f"skipped: set SUPERTUNE_DATA to the folder with {' and '.join(f'{name}/' for name in options.sets)}")
        return 0
    from supertune.recipes.start import auto_epochs

    epochs = options.epochs or auto_epochs(options.rows, Config().train.batch_size)
    size = Size(options.rows, options.validation, epochs)
    results = Results(options.out / "ablation.jsonl", size)
    if results.others:
        print(f"{results.others} runs were of other settings or sizes and are passed over", file=sys.stderr)
    # The load of a shared machine changes in hours, and threads that spin while others work come to a stand-still.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    bench = Bench(data, options.out, size, options.threads)
    deadline = time.monotonic() + 60 * options.budget
    try:
        if not options.table and work(bench, results, _plan(options, range(options.seeds), options.only), deadline):
            first = [result for result in results.all() if result.seed < options.seeds]
            open_questions = [BASE, *undecided(first, options.only, options.sets)]
            work(bench, results, _plan(options, range(options.seeds, options.more), open_questions), deadline)
    except KeyboardInterrupt:
        print("interrupted; start again to go on", file=sys.stderr)
    write_tables(options, results, size)
    return 0


def _plan(options: argparse.Namespace, seeds: range, variants: list[str]) -> Iterator[tuple[int, str, str]]:
    return ((seed, variant, name) for seed in seeds for variant in variants for name in options.sets)


def parse() -> argparse.Namespace:
    """The command line; ``only`` and ``sets`` as lists, the base among the variants."""

    def names(known: Mapping[str, object] | tuple[str, ...]) -> Any:
        def split(text: str) -> list[str]:
            given = [part.strip() for part in text.split(",") if part.strip()]
            if unknown := [name for name in given if name not in known]:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}; choose from {', '.join(known)}")
            return [name for name in known if name in given or name == BASE]

        return split

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="seeds of every variant")
    parser.add_argument("--more", type=int, default=10, help="seeds of the variants that are undecided then")
    parser.add_argument(
        "--budget", type=float, default=float("inf"), metavar="MINUTES", help="begin no run after these"
    )
    parser.add_argument("--only", type=names(VARIANTS), default=list(VARIANTS), metavar="VARIANT,...")
    parser.add_argument("--sets", type=names(SETS), default=list(SETS), metavar="SET,...")
    parser.add_argument("--rows", type=int, default=500, help="training rows")
    parser.add_argument("--validation", type=int, default=200, help="validation rows")
    parser.add_argument("--epochs", type=int, default=None, help="epochs of the base; by default what auto stands for")
    parser.add_argument("--threads", type=int, default=None, help="processor threads of a new OUT; all cores")
    parser.add_argument("--table", action="store_true", help="only write the tables of what is there")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
