"""What augmenting is worth: TREC with minilm and waimai with e5, few rows, with and without.

Usage: SUPERTUNE_DATA=folder python benchmarks/augmenting.py [--only trec waimai] [--rows 20 100 500] [--draws 10]
       [--screen] [--train repeat random-swap …] [--threads N] [--out runs/augmenting] [--table]

``--screen``: every augmenter that needs no model, on frozen features of the encoder with a logistic regression, in
which the copies of a row and the row itself count as much as the row alone did. ``--train``: the named ones by full
training, with and without, by supertune's defaults; ``repeat`` is the control: each row as often as an augmenter would
have made it, so that as many steps are taken and nothing is new. Drawn are so many rows of the training split, each
class with its share; all that is scored are rows of the test split (waimai: 2,000 rows that are never drawn). Every
draw is scored with and without on the same rows; intervals are those of the mean of paired differences over draws
(Student's t). OUT keeps every score; what is there is not done again.
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
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
SETS = {"trec": ("minilm", "en"), "waimai": ("e5-multilingual", "zh")}
COPIES = {20: 8, 100: 4, 500: 2}
"""New rows per row, by the number of rows: Wei & Zou (2019) recommend 16, 8 and 4 for 500, 2,000 and 5,000."""
WAIMAI_TEST = 2_000
NONE = "none"
REPEAT = "repeat"


def main() -> int:
    """Do what is missing, and print the tables; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "trec").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with trec/ and waimai_10k.csv")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        learned, asked = loaded(name, data)
        if options.screen and not options.table:
            screen(name, learned, asked, options)
        if options.train and not options.table:
            train(name, learned, asked, options)
        for kind in ("screen", "train"):
            tables(name, kind, options)
    return 0


def loaded(name: str, data: Path) -> tuple[list[Row], list[Row]]:
    """Rows to draw from, no text twice nor in both, and rows to be asked about."""
    if name == "trec":
        asked, rows = (lines(data / f"trec/{split}.jsonl") for split in ("test", "train"))
        label = "label" if "label" in rows[0] else "coarse"
        asked, rows = ([{"text": row["text"], "label": row[label]} for row in part] for part in (asked, rows))
    else:
        with (data / "waimai_10k.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {"text": row["review"], "label": "好评" if row["label"] == "1" else "差评"}
                for row in csv.DictReader(file)
            ]
        rows = list({" ".join(row["text"].split()): row for row in rows if row["text"].strip()}.values())
        random.Random(0).shuffle(rows)
        asked, rows = rows[:WAIMAI_TEST], rows[WAIMAI_TEST:]
    known = {" ".join(row["text"].split()).lower() for row in asked}
    return [row for row in rows if " ".join(row["text"].split()).lower() not in known], asked


def lines(file: Path) -> list[Row]:
    """The rows of a file of JSON Lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def drawn(rows: Sequence[Row], count: int, draw: int) -> list[Row]:
    """So many rows, each class with its share and with two rows at least."""
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by[row["label"]].append(row)
    chance = random.Random(f"{count} {draw}")
    quotas = {label: max(2, round(count * len(found) / len(rows))) for label, found in by.items()}
    while sum(quotas.values()) > count:
        quotas[max(quotas, key=lambda label: quotas[label])] -= 1
    return [row for label in sorted(by) for row in chance.sample(by[label], quotas[label])]


def augmented(rows: Sequence[Row], name: str, copies: int, seed: int) -> list[Row]:
    """The rows and the new ones, each new one with ``of``: which row it was made of."""
    if name == REPEAT:
        return [{**row, "of": number} for number, row in enumerate(rows) for _ in range(1 + copies)]
    from supertune.contracts import Columns
    from supertune.data import Table
    from supertune.data.augment import AUGMENTERS, Amount, augment
    from supertune.data.augmented_rows import AUGMENTED_FROM

    table = Table.from_rows(list(rows), source="drawn")
    made = augment(table, Columns(("text",), ("label",)), [AUGMENTERS[name]()], amount=Amount(copies=copies), seed=seed)
    found = []
    for number, row in enumerate(made.table.rows()):
        own = row[AUGMENTED_FROM]
        found.append({"text": row["text"], "label": row["label"], "of": number if own is None else int(own)})
    return found


def names_for(language: str) -> list[str]:
    """The augmenters that need no model and serve a language."""
    from supertune.data.augment import AUGMENTERS, BatchAugmenter

    return [
        name
        for name, kind in AUGMENTERS.items()
        if not issubclass(kind, BatchAugmenter) and (not kind.languages or language in kind.languages)
    ]


def screen(name: str, learned: Sequence[Row], asked: Sequence[Row], options: argparse.Namespace) -> None:
    """Score every augmenter on frozen features."""
    model, language = SETS[name]
    kept = Kept(options.out / f"{name}-screen.jsonl")
    names = [NONE, *names_for(language)]
    wanted = [(each, n, d) for n in options.rows for d in range(options.draws) for each in names]
    if all(key in kept.found for key in wanted):
        return
    vectors = Vectors(model)
    test, truth = vectors([row["text"] for row in asked]), np.array([row["label"] for row in asked])
    for each, count, draw in wanted:
        if (each, count, draw) in kept.found:
            continue
        rows = drawn(learned, count, draw)
        rows = (
            [{**row, "of": number} for number, row in enumerate(rows)]
            if each == NONE
            else augmented(rows, each, COPIES[count], draw)
        )
        features = vectors([row["text"] for row in rows])
        shares = np.bincount([row["of"] for row in rows])
        weights = np.array([1.0 / shares[row["of"]] for row in rows])
        labels = [row["label"] for row in rows]
        right = logistic(features, labels, weights, test) == truth
        kept.keep(each, count, draw, float(right.mean()), len(rows) - count)
    print(f"{name}: screened", flush=True)


def logistic(features: Any, labels: Sequence[str], weights: Any, test: Any) -> Any:
    """What a logistic regression on features of length 1 says; the strength was not tuned."""
    from sklearn.linear_model import LogisticRegression

    head = LogisticRegression(C=10.0, max_iter=2000).fit(features, labels, sample_weight=weights)
    return head.predict(test)


class Vectors:
    """Vectors of texts, each made once."""

    def __init__(self, model: str) -> None:
        from supertune.recipes.embedder import open_embedder

        self._embedder = open_embedder(model)
        self._known: dict[str, Any] = {}

    def __call__(self, texts: Sequence[str]) -> Any:
        """Float32 (texts, width)."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known |= dict(zip(new, self._embedder.encode(new, "query"), strict=True))
        return np.stack([self._known[text] for text in texts])


def train(name: str, learned: Sequence[Row], asked: Sequence[Row], options: argparse.Namespace) -> None:
    """Score the named augmenters by full training."""
    model, _ = SETS[name]
    kept = Kept(options.out / f"{name}-train.jsonl")
    for draw in range(options.draws):
        for count in options.rows:
            for each in (NONE, *options.train):
                if (each, count, draw) in kept.found:
                    continue
                rows = drawn(learned, count, draw)
                rows = rows if each == NONE else augmented(rows, each, COPIES[count], draw)
                score = trained(rows, asked, model, draw, options.threads, options.out)
                kept.keep(each, count, draw, score, len(rows) - count)
                print(f"{name}, {each}, {count} rows, draw {draw}: {100 * score:.1f} %", flush=True)


def trained(
    rows: Sequence[Row],
    asked: Sequence[Row],
    model: str,
    seed: int,
    threads: int | None,
    out: Path,
    passes: int | None = None,
) -> float:
    """The accuracy of a full fine-tuning, the last epoch of which is kept: no rows are held back to choose one by."""
    folder = out / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for split, part in (("train", rows), ("test", asked)):
        content = "".join(
            json.dumps({"text": row["text"], "label": row["label"]}, ensure_ascii=False) + "\n" for row in part
        )
        (folder / f"{split}.jsonl").write_text(content, encoding="utf-8")
    settings = {
        "evaluate.baselines": "false",
        "data.split": "[1.0, 0.0, 0.0]",
        "data.allow": "[leakage,label-conflicts,near-duplicates,rare-classes]",
    }
    settings |= {"train.threads": str(threads)} if threads else {}
    settings |= {"train.epochs": str(passes)} if passes else {}
    command = [sys.executable, "-m", "supertune", "train", str(folder / "train.jsonl")]
    command += ["--test", str(folder / "test.jsonl"), "--model", model, "--strategy", "full", "--seed", str(seed)]
    command += ["--out", str(folder / "run"), "--quiet"]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    answers = lines(folder / "run/predictions/test.jsonl")
    return statistics.mean(row["prediction"] == row["label"] for row in answers)


class Kept:
    """Scores in a file, by augmenter, rows and draw."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.found: dict[tuple[str, int, int], float] = {}
        self.added: dict[tuple[str, int, int], int] = {}
        for row in lines(file) if file.exists() else []:
            self.found[row["augmenter"], row["rows"], row["draw"]] = row["accuracy"]
            self.added[row["augmenter"], row["rows"], row["draw"]] = row["added"]

    def keep(self, augmenter: str, rows: int, draw: int, accuracy: float, added: int) -> None:
        """Add one."""
        self.found[augmenter, rows, draw] = accuracy
        row = {"augmenter": augmenter, "rows": rows, "draw": draw, "accuracy": accuracy, "added": added}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def tables(name: str, kind: str, options: argparse.Namespace) -> None:
    """Mean accuracy without, and what each augmenter adds to it."""
    kept = Kept(options.out / f"{name}-{kind}.jsonl")
    if not kept.found:
        return
    print(f"\n{name}, {'frozen features' if kind == 'screen' else 'full training'}: points of accuracy, 95 % interval")
    for count in options.rows:
        without = {draw: score for (each, n, draw), score in kept.found.items() if each == NONE and n == count}
        if not without:
            continue
        print(f"  {count} rows: {100 * statistics.mean(without.values()):.1f} % without, {len(without)} draws")
        found = effects(kept.found, without, count)
        for each, (mean, half, draws) in sorted(found.items(), key=lambda item: -item[1][0]):
            added = [new for (of, n, _), new in kept.added.items() if of == each and n == count]
            told = f"[{100 * (mean - half):+.1f}, {100 * (mean + half):+.1f}]"
            print(f"    {each:22} {100 * mean:+.2f} {told}, {draws} draws, {statistics.mean(added):.0f} rows added")


def effects(
    found: Mapping[tuple[str, int, int], float], without: Mapping[int, float], count: int
) -> dict[str, tuple[float, float, int]]:
    """Augmenter → mean paired difference, half its interval, and how many draws there are."""
    from scipy.stats import t

    told = {}
    for name in dict.fromkeys(each for each, n, _ in found if each != NONE and n == count):
        pairs = [
            score - without[d] for (each, n, d), score in found.items() if (each, n) == (name, count) and d in without
        ]
        if len(pairs) > 1:
            error = statistics.stdev(pairs) / len(pairs) ** 0.5
            told[name] = (statistics.mean(pairs), float(t.ppf(0.975, len(pairs) - 1)) * error, len(pairs))
    return told


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=tuple(SETS), default=list(SETS))
    parser.add_argument("--rows", nargs="+", type=int, choices=tuple(COPIES), default=list(COPIES))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--screen", action="store_true", help="score every augmenter on frozen features")
    parser.add_argument("--train", nargs="*", default=[], help="augmenters to score by full training")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/augmenting"))
    parser.add_argument("--table", action="store_true", help="print only the tables")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
