"""Every strategy on the same rows of SST-2 and TREC: accuracy, what is trained, time, memory and bytes saved.

Usage: SUPERTUNE_DATA=folder python benchmarks/strategies.py [--rows 1500] [--validation 500] [--seeds 3]
       [--only STRATEGY,...] [--sets trec,sst2] [--rates 1e-3,1e-2] [--passes 1,3] [--threads N]
       [--out runs/strategies] [--table]

Each training is the real ``supertune train`` in a process of its own, so that its memory is its own. What
OUT/strategies.jsonl holds is not trained again. With ``--rates`` every strategy is tried at those rates instead of its
own, with ``--passes`` for that many times the usual epochs: defaults are chosen by the validation columns, never by the
test rows. ``--rows 0`` takes all rows that ``--validation`` leaves. Memory is the highest resident one, pages of the
frozen layers' file included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ablation_runs import MODEL, SETS, Size, draw
from few_shot import MEANINGS
from supertune.files import write_jsonl
from supertune.recipes.start import auto_epochs
from supertune.strategies import STRATEGIES


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not options.table and not all((data / name).is_dir() for name in options.sets):
        print(f"skipped: set SUPERTUNE_DATA to the folder with {' and '.join(f'{name}/' for name in options.sets)}")
        return 0
    path = options.out / "strategies.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    wanted = [
        {"data": name, "rows": options.rows, "strategy": strategy, "rate": rate, "passes": passes, "seed": seed}
        for seed in range(options.seeds)
        for strategy in options.only
        for rate in options.rates or [STRATEGIES[strategy]().default_learning_rate()]
        for passes in options.passes or [STRATEGIES[strategy]().passes]
        for name in options.sets
    ]
    known = [{key: row[key] for key in wanted[0]} for row in found]
    missing = [] if options.table else [run for run in wanted if run not in known]
    for done, run in enumerate(missing, 1):
        result = {**run, **trained(run, data, options)}
        found.append(result)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(result) + "\n")
        told = f"validation {result['validation']:.3f}, test {result['test']:.3f}, {result['seconds']:.0f} s"
        which = f"{run['data']} {run['strategy']} at {run['rate']:g}, {result['epochs']} epochs, seed {run['seed']}"
        print(f"{which}: {told} ({done} of {len(missing)})", flush=True)
    print_table([row for row in found if {key: row[key] for key in wanted[0]} in wanted])
    return 0


def trained(run: dict[str, Any], data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What one training came to."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        splits = draw(data / run["data"], run["seed"], Size(run["rows"], options.validation, 0))
        for split, rows in splits.items():
            write_jsonl(folder / f"{split}.jsonl", rows)
        settings = {"evaluate.baselines": "false", "train.checkpoint_every": "0", "train.restarts": "0"}
        if run["strategy"] == "zero-shot":
            settings["strategy.descriptions"] = json.dumps(MEANINGS[run["data"]])
        else:
            settings["train.learning_rate"] = str(run["rate"])
            settings["train.epochs"] = str(auto_epochs(len(splits["train"]), 16, run["passes"]))
        if options.threads:
            settings["train.threads"] = str(options.threads)
        command = [sys.executable, "-m", "supertune", "train", str(folder / "train.jsonl"), "--quiet", "--json"]
        command += ["--validation", str(folder / "validation.jsonl"), "--test", str(folder / "test.jsonl")]
        command += ["--model", MODEL, "--strategy", run["strategy"], "--seed", str(run["seed"])]
        command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        command += ["--out", str(folder / "run")]
        with (folder / "errors").open("w") as errors:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
            _, status, usage = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit((folder / "errors").read_text())
        manifest = json.loads((folder / "run/manifest.json").read_text())
        metrics = json.loads((folder / "run/metrics.json").read_text())
        events = (folder / "run/events.jsonl").read_text().splitlines()
        start = next(json.loads(line) for line in events if '"start"' in line)
        test = metrics["test"]["accuracy"]
        weights = [file for file in (folder / "run/model").iterdir() if file.suffix == ".safetensors"]
        return {
            "validation": metrics["validation"]["accuracy"]["value"],
            "log_loss": metrics["validation"]["log_loss"]["value"],
            "test": test["value"],
            "low": test["low"],
            "high": test["high"],
            "parameters": start["parameters"],
            "epochs": start["epochs"],
            "best_epoch": manifest["best_epoch"],
            "seconds": manifest["timings"]["train"],
            "peak_mb": usage.ru_maxrss // 1024,
            "bytes": sum(file.stat().st_size for file in weights),
            "when": time.strftime("%Y-%m-%d"),
        }


COLUMNS = (
    "set",
    "rows",
    "strategy",
    "rate",
    "epochs",
    "validation",
    "log loss",
    "test, mean (s.d.)",
    "one seed's interval",
    "trained",
    "s",
    "MB",
    "saved kB",
    "n",
)


def print_table(rows: list[dict[str, Any]]) -> None:
    """One line per set, strategy and rate."""
    groups: dict[tuple[str, int, int, float, float], list[dict[str, Any]]] = {}
    for row in rows:
        key = (row["data"], row["rows"], list(STRATEGIES).index(row["strategy"]), row["rate"], row["passes"])
        groups.setdefault(key, []).append(row)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for _, found in sorted(groups.items()):
        print(f"| {' | '.join(cells(found))} |")


def cells(found: list[dict[str, Any]]) -> tuple[str, ...]:
    """What is told of the seeds of one strategy on one set."""
    first = found[0]
    means = {key: statistics.mean(row[key] for row in found) for key, value in first.items() if _is_number(value)}
    spread = statistics.stdev(row["test"] for row in found) if len(found) > 1 else 0.0
    return (
        first["data"],
        str(first["rows"] or "all"),
        first["strategy"],
        f"{first['rate']:g}" if first["epochs"] else "–",
        str(first["epochs"]),
        f"{100 * means['validation']:.1f}",
        f"{means['log_loss']:.3f}",
        f"{100 * means['test']:.1f} ({100 * spread:.1f})",
        f"[{100 * first['low']:.1f}, {100 * first['high']:.1f}]",
        f"{first['parameters']:,}",
        f"{means['seconds']:.0f}",
        f"{means['peak_mb']:.0f}",
        f"{means['bytes'] / 1000:,.0f}",
        str(len(found)),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def parse() -> argparse.Namespace:
    """The command line."""

    def among(known: Iterable[str]) -> Any:
        def split(text: str) -> list[str]:
            given = [part.strip() for part in text.split(",") if part.strip()]
            if unknown := set(given) - set(known):
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}; choose from {', '.join(known)}")
            return given

        return split

    def numbers(text: str) -> list[float]:
        return [float(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--validation", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", type=among(STRATEGIES), default=list(STRATEGIES), metavar="STRATEGY,...")
    parser.add_argument("--sets", type=among(SETS), default=list(SETS), metavar="SET,...")
    parser.add_argument("--rates", type=numbers, default=[], help="instead of each strategy's own")
    parser.add_argument(
        "--passes", type=numbers, default=[], help="times the usual epochs; each strategy's own if not given"
    )
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/strategies"))
    parser.add_argument("--table", action="store_true", help="write only the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
