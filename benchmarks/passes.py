"""How often few rows are gone over: TREC, SST-2 and waimai, full fine-tuning, with several numbers of passes.

Usage: SUPERTUNE_DATA=folder python benchmarks/passes.py [--only trec sst2 waimai] [--rows 20 50] [--passes 20 75 100]
       [--draws 10] [--threads N] [--out runs/passes]

Every draw of rows is trained with each number of passes and asked about the same 500 test rows (waimai: 2,000); the
last epoch is kept. Told is the mean, and the mean of paired differences to the first number with its 95 % interval
(Student's t). OUT keeps every score; what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
from pathlib import Path

from scipy.stats import t

from augmenting import Row, drawn, lines, loaded, trained

MODELS = {"trec": "minilm", "sst2": "minilm", "waimai": "e5-multilingual"}
ASKED = 500


def main() -> int:
    """Do what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "trec").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with trec/, sst2/ and waimai_10k.csv")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "scores.jsonl"
    found = lines(file) if file.exists() else []
    known = {(each["set"], each["rows"], each["passes"], each["draw"]): each["accuracy"] for each in found}
    for name in options.only:
        learned, asked = sst2(data) if name == "sst2" else loaded(name, data)
        for rows in options.rows:
            for draw in range(options.draws):
                for passes in options.passes:
                    if (name, rows, passes, draw) in known:
                        continue
                    some = drawn(learned, rows, draw)
                    score = trained(some, asked, MODELS[name], draw, options.threads, options.out, passes)
                    known[name, rows, passes, draw] = score
                    told = {"set": name, "rows": rows, "passes": passes, "draw": draw, "accuracy": score}
                    with file.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(told) + "\n")
            tell(name, rows, options, known)
    return 0


def sst2(data: Path) -> tuple[list[Row], list[Row]]:
    """Rows to draw from, and 500 to be asked about that are not among them."""
    learned, asked = (
        [{"text": row["text"], "label": str(row["label"])} for row in lines(data / f"sst2/{split}.jsonl")]
        for split in ("train", "dev")
    )
    random.Random(0).shuffle(asked)
    known = {row["text"].lower() for row in asked}
    return [row for row in learned if row["text"].lower() not in known], asked[:ASKED]


def tell(name: str, rows: int, options: argparse.Namespace, known: dict[tuple[str, int, int, int], float]) -> None:
    """A line for each number of passes."""
    first, *_ = options.passes
    for passes in options.passes:
        scores = [known[name, rows, passes, draw] for draw in range(options.draws)]
        beside = [score - known[name, rows, first, draw] for draw, score in enumerate(scores)]
        said = f"{name}, {rows} rows, {passes} passes: {100 * statistics.mean(scores):.1f} %"
        if passes != first and len(beside) > 1:
            mean = statistics.mean(beside)
            half = t.ppf(0.975, len(beside) - 1) * statistics.stdev(beside) / len(beside) ** 0.5
            said += f", {100 * mean:+.1f} [{100 * (mean - half):+.1f}, {100 * (mean + half):+.1f}] beside {first}"
        print(said, flush=True)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument("--rows", nargs="+", type=int, default=[20, 50])
    parser.add_argument("--passes", nargs="+", type=int, default=[20, 75, 100])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/passes"))
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
