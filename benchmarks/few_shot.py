"""Few rows per label: ours beside SetFit, on the same drawn rows of SST-2, TREC and waimai, with the same body.

Usage: SUPERTUNE_DATA=folder python benchmarks/few_shot.py [--shots 8,64] [--draws 15,3] [--sets trec,sst2]
       [--methods contrastive,setfit] [--set KEY=VALUE ...] [--rest] [--threads N] [--out runs/few-shot] [--memory]
       [--table]

Methods are strategies of supertune, and ``setfit``: num_iterations 20 and all else as it comes. Each training is a
process of its own; no validation rows are held back, and the whole test split is scored. Methods take turns draw by
draw. ``--rest`` scores 1,000 rows of the training file that were not drawn instead: what is chosen by trial is chosen
there. OUT/few-shot.jsonl keeps what was done. Seconds are those of training, head included, models opened already.
``--memory`` trains one pass over 40,000 rows, where listing every pair would take gigabytes, and tells the peak.
SetFit is not among the dependencies: ``make bench-few-shot`` installs it.
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
import time
from pathlib import Path
from typing import Any

import numpy as np

SETS = ("sst2", "trec")
MODELS = {"sst2": "minilm", "trec": "minilm", "waimai": "e5-multilingual"}
WAIMAI = "waimai_10k.csv"
WAIMAI_TEST = 2_000
"""Rows of the one file of waimai that are scored, drawn with seed 0."""
REST = 1_000
MEANINGS: dict[str, dict[str, str]] = {
    "sst2": {"negative": "This film is bad.", "positive": "This film is good."},
    "trec": {
        "ABBR": "What does an abbreviation stand for?",
        "DESC": "What is the definition, the reason or the manner of something?",
        "ENTY": "What thing, animal, food, product or event is it?",
        "HUM": "Who is the person, group or organisation?",
        "LOC": "Where is the place, city or country?",
        "NUM": "How many, how much, how long, or when: which number or date?",
    },
    "waimai": {"bad": "这家外卖很差。", "good": "这家外卖很好。"},
}
"""What the labels mean, for ``zero-shot``: written once from the labels' definitions, and not tried on test rows."""


COLUMNS = (
    "set",
    "rows per label",
    "method",
    "accuracy, mean (s.d.)",
    "log loss",
    "ECE",
    "s",
    "minus the last, paired",
    "draws",
)


def main() -> int:
    """Train what is missing, and print the table; skip with a word when data or SetFit are not there."""
    options = parse()
    if options.child:
        print(json.dumps(setfit(Path(options.child), MODELS[options.sets[0]], options.seed)))
        return 0
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    places = [WAIMAI if name == "waimai" else f"{name}/" for name in options.sets]
    if not all((data / place).exists() for place in places):
        print(f"skipped: set SUPERTUNE_DATA to the folder with {' and '.join(places)}")
        return 0
    if options.memory:
        memory(data / "sst2", options)
        return 0
    path = options.out / "few-shot.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    wanted = [
        {"data": name, "shots": shots, "draw": draw, "method": method, "settings": options.settings}
        | ({"scored": "rest"} if options.rest else {})
        for shots, draws in zip(options.shots, options.draws, strict=True)
        for draw in range(draws)
        for name in options.sets
        for method in turned(options.methods, draw)
    ]
    known = [{key: row.get(key) for key in wanted[0]} for row in found]
    for run in [] if options.table else [run for run in wanted if run not in known]:
        result = {**run, **trained(run, data, options.threads)}
        found.append(result)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(result) + "\n")
        told = (
            f"accuracy {100 * result['accuracy']:.1f} %, log loss {result['log_loss']:.3f}, {result['seconds']:.1f} s"
        )
        print(f"{run['data']} {run['shots']} a label, draw {run['draw']}, {run['method']}: {told}", flush=True)
    print_table([row for row in found if {key: row.get(key) for key in wanted[0]} in wanted], options.methods)
    return 0


def turned(methods: list[str], by: int) -> list[str]:
    """The methods in turns: each is first as often as the others."""
    return methods[by % len(methods) :] + methods[: by % len(methods)]


def rows_of(data: Path, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows to draw from, and rows to score."""
    if name != "waimai":
        return read(data / name / "train.jsonl"), read(data / name / "test.jsonl")
    with (data / WAIMAI).open(encoding="utf-8-sig", newline="") as stream:
        texts = {row["review"]: "good" if row["label"] == "1" else "bad" for row in csv.DictReader(stream)}
    rows = [{"text": text, "label": label} for text, label in texts.items()]
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[index] for index in order[WAIMAI_TEST:]], [rows[index] for index in order[:WAIMAI_TEST]]


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a split, text and label alone."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [{"text": row["text"], "label": row["label"]} for row in rows]


def drawn(rows: list[dict[str, Any]], shots: int, seed: int) -> list[dict[str, Any]]:
    """So many rows of every label; of a label that has fewer, all. 0 for all rows."""
    if not shots:
        return rows
    random = np.random.default_rng(seed)
    labels = np.array([row["label"] for row in rows])
    chosen = [random.permutation(np.flatnonzero(labels == label))[:shots] for label in sorted(set(labels))]
    return [rows[index] for index in random.permutation(np.concatenate(chosen))]


def rest(rows: list[dict[str, Any]], chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most 1,000 rows whose text was not drawn."""
    known = {row["text"] for row in chosen}
    others = [row for row in rows if row["text"] not in known]
    return [others[index] for index in np.random.default_rng(99).permutation(len(others))[:REST]]


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def trained(run: dict[str, Any], data: Path, threads: int | None) -> dict[str, Any]:
    """What one training came to."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows, test = rows_of(data, run["data"])
        chosen = drawn(rows, run["shots"], run["draw"])
        if run.get("scored") == "rest":
            test = rest(rows, chosen)
        write(chosen, folder / "train.jsonl")
        write(test, folder / "test.jsonl")
        environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
        if run["method"] == "setfit":
            command = [sys.executable, __file__, "--child", str(folder), "--seed", str(run["draw"])]
            command += ["--sets", run["data"]]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
            found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
            return found
        settings = [*run["settings"], "evaluate.baselines=false", "train.checkpoint_every=0"]
        if threads:
            settings.append(f"train.threads={threads}")
        if run["method"] == "zero-shot":
            settings.append(f"strategy.descriptions={json.dumps(MEANINGS[run['data']])}")
        command = [sys.executable, "-m", "supertune", "train", str(folder / "train.jsonl"), "--quiet", "--json"]
        command += ["--test", str(folder / "test.jsonl"), "--model", MODELS[run["data"]], "--strategy", run["method"]]
        command += ["--seed", str(run["draw"]), "--out", str(folder / "run")]
        command += [part for setting in settings for part in ("--set", setting)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if ended.returncode != 0:
            raise SystemExit(ended.stderr)
        manifest = json.loads((folder / "run/manifest.json").read_text())
        test = json.loads((folder / "run/metrics.json").read_text())["test"]
        return {
            "accuracy": test["accuracy"]["value"],
            "log_loss": test["log_loss"]["value"],
            "ece": test["ece"]["value"],
            "seconds": manifest["timings"]["train"],
        }


def setfit(folder: Path, body: str, seed: int) -> dict[str, float]:
    """SetFit on the rows of the folder."""
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    from supertune.models import resolve

    threads = os.environ.get("OMP_NUM_THREADS")
    torch.set_num_threads(int(threads) if threads else len(os.sched_getaffinity(0)))
    train, test = (read(folder / f"{split}.jsonl") for split in ("train", "test"))
    names = sorted({row["label"] for row in train})
    model = SetFitModel.from_pretrained(str(resolve(body).folder))
    rows = Dataset.from_list([{"text": row["text"], "label": names.index(row["label"])} for row in train])
    arguments = TrainingArguments(
        output_dir=str(folder / "setfit"), num_iterations=20, seed=seed, report_to="none", save_strategy="no"
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    begun = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - begun
    probabilities = np.asarray(model.predict_proba([row["text"] for row in test], as_numpy=True), np.float64)
    truth = np.array([names.index(row["label"]) for row in test])
    right = probabilities[np.arange(len(truth)), truth]
    return {
        "accuracy": float((probabilities.argmax(1) == truth).mean()),
        "log_loss": float(-np.log(np.clip(right, 1e-12, 1)).mean()),
        "ece": expected_calibration_error(probabilities, truth),
        "seconds": seconds,
    }


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """As supertune measures it."""
    from supertune.contracts import Outcome
    from supertune.evaluate import estimate

    names = tuple(map(str, range(probabilities.shape[1])))
    return float(estimate(Outcome(truth, probabilities, names), "ece"))


def memory(data: Path, options: argparse.Namespace) -> None:
    """One pass over 40,000 rows; the peak beside that of as many steps over 400."""
    rows = read(data / "train.jsonl")
    for count in (400, 40_000):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            again = ((index, rows[index % len(rows)]) for index in range(count))
            write([{**row, "text": f"{row['text']} {index}"} for index, row in again], folder / "train.jsonl")
            write(read(data / "dev.jsonl"), folder / "test.jsonl")
            command = [sys.executable, "-m", "supertune", "train", str(folder / "train.jsonl"), "--quiet", "--json"]
            command += ["--test", str(folder / "test.jsonl"), "--validation", str(folder / "test.jsonl")]
            command += ["--model", MODELS["sst2"], "--strategy", "contrastive", "--out", str(folder / "run")]
            for setting in [*options.settings, "train.epochs=1", "evaluate.baselines=false", "data.allow=[leakage]"]:
                command += ["--set", setting]
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            if os.waitstatus_to_exitcode(status):
                raise SystemExit("training failed")
        print(f"{count:,} rows: at most {usage.ru_maxrss // 1024:,} MB", flush=True)


def print_table(rows: list[dict[str, Any]], methods: list[str]) -> None:
    """A line per set, rows per label and method; differences from the last method, paired by draw."""
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for name, shots in sorted({(row["data"], row["shots"]) for row in rows}):
        group = [row for row in rows if (row["data"], row["shots"]) == (name, shots)]
        last = {row["draw"]: row["accuracy"] for row in group if row["method"] == methods[-1]}
        for method in methods:
            found = [row for row in group if row["method"] == method]
            if not found:
                continue
            accuracies = [100 * row["accuracy"] for row in found]
            pairs = [100 * (row["accuracy"] - last[row["draw"]]) for row in found if row["draw"] in last]
            spread = statistics.stdev(accuracies) if len(found) > 1 else 0.0
            means = {key: statistics.mean(row[key] for row in found) for key in ("log_loss", "ece", "seconds")}
            cells = (
                name,
                str(shots or "all"),
                method,
                f"{statistics.mean(accuracies):.1f} ({spread:.1f})",
                f"{means['log_loss']:.3f}",
                f"{means['ece']:.3f}",
                f"{means['seconds']:.1f}",
                told(pairs),
                str(len(found)),
            )
            print(f"| {' | '.join(cells)} |")


def told(pairs: list[float]) -> str:
    """Mean of the differences with the interval that a t-test gives."""
    from scipy import stats

    if len(pairs) < 2 or not any(pairs):
        return "–" if not any(pairs) else f"{pairs[0]:+.1f}"
    half = stats.t.ppf(0.975, len(pairs) - 1) * statistics.stdev(pairs) / len(pairs) ** 0.5
    mean = statistics.mean(pairs)
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def parse() -> argparse.Namespace:
    """The command line."""

    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shots", type=numbers, default=[8, 64])
    parser.add_argument("--draws", type=numbers, default=[15, 3])
    parser.add_argument("--sets", type=lambda text: text.split(","), default=list(SETS))
    parser.add_argument("--methods", type=lambda text: text.split(","), default=["contrastive", "setfit"])
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--rest", action="store_true", help="score rows that were not drawn, not the test rows")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/few-shot"))
    parser.add_argument("--memory", action="store_true", help="peak memory at 40,000 rows")
    parser.add_argument("--table", action="store_true", help="print only the table")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
