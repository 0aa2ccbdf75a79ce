"""Retrieval: what fine-tuning adds to a model that was made for it, beside words alone.

Usage: SUPERTUNE_DATA=folder python benchmarks/retrieval.py [--task rerank] [--only CASE …] [--seeds 1] [--threads N]
       [--set key=value …] [--name NAME] [--out runs/retrieval] [--table]

``supertune train --task retrieval`` with its defaults, `minilm`. ``xquad``: the questions of XQuAD in English and the
paragraphs that they are about; articles held out, divided anew for every seed; every paragraph of all 48 articles can
be found. ``dialogsum``: summaries and the dialogues that they are of; a third held out, all 500 can be found. The
model before training and BM25 answer the same queries, and differences are paired by query (of a reranker to BM25's
order of the same passages). OUT keeps every run's scores; what is there is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CASES = ("xquad", "dialogsum")
_SHARES = {"xquad": "[0.65,0.1,0.25]", "dialogsum": "[0.57,0.1,0.33]"}


def main() -> int:
    """Train what is missing, and print the table; skip with a word when the data are not there."""
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not ((data / "xquad").is_dir() and (data / "dialogsum_dev.jsonl").is_file()):
        print("skipped: set SUPERTUNE_DATA to the folder with xquad/ and dialogsum_dev.jsonl")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for case in options.only:
        for seed in range(options.seeds):
            place = options.out / f"{case}-{options.name}-{seed}.json"
            if not place.exists() and not options.table:
                begun = time.monotonic()
                place.write_text(json.dumps(scored(case, data, seed, options)), encoding="utf-8")
                print(f"{case}, {options.name}, seed {seed}: {time.monotonic() - begun:.0f} s", flush=True)
    table(options.out)
    return 0


def scored(case: str, data: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Scores of one run: of the model, of the same before training, of BM25, and the paired difference."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        rows.write_text("\n".join(map(json.dumps, pairs(case, data))) + "\n", encoding="utf-8")
        settings = [f"train.seed={seed}", f"data.split_seed={seed}", f"data.split={_SHARES[case]}", *options.set]
        settings += [f"train.threads={options.threads}"] if options.threads else []
        command = [sys.executable, "-m", "supertune", "train", str(rows), "--quiet", "--task", options.task]
        command += ["--model", "minilm", "--out", str(Path(folder) / "run")]
        command += [part for setting in settings for part in ("--set", setting)]
        subprocess.run(command, check=True)
        run = Path(folder) / "run"
        return {
            "metrics": json.loads((run / "metrics.json").read_text(encoding="utf-8")),
            "difference": difference(run),
        }


def difference(run: Path) -> dict[str, Any]:
    """The model minus the model before training in MRR, as the run's report tells it."""
    told = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["difference"]
    return dict(told)


def pairs(case: str, data: Path) -> list[dict[str, str]]:
    """Queries and the passages that they ask for."""
    if case == "dialogsum":
        lines = (data / "dialogsum_dev.jsonl").read_text(encoding="utf-8").splitlines()
        return [{"query": row["summary"], "passage": row["dialogue"]} for row in map(json.loads, lines)]
    articles = json.loads((data / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    return [
        {"title": article["title"], "query": asked["question"], "passage": paragraph["context"]}
        for article in articles
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]


def table(out: Path) -> None:
    """One line for every run that there is."""
    print("| set and run | queries | BM25 | before | after | minus |\n|---|---|---|---|---|---|")
    for place in sorted(out.glob("*.json")):
        found = json.loads(place.read_text(encoding="utf-8"))
        metrics, gain = found["metrics"], found["difference"]
        after = metrics["test"]["mrr"]
        known = [metrics.get(f"test_{name}", {}).get("mrr") for name in ("bm25", "untrained")]
        cells = [f"{score['value']:.3f}" if score else "–" for score in known]
        cells += [f"{after['value']:.3f} [{after['low']:.3f}, {after['high']:.3f}]"]
        cells += [f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"]
        cells[-1] += f" {gain['baseline']}"
        print(f"| {place.stem} | {after['n']} | {' | '.join(cells)} |")


def parse() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--set", nargs="+", default=[])
    parser.add_argument("--task", choices=("retrieval", "rerank"), default="retrieval")
    parser.add_argument("--name", default="default")
    parser.add_argument("--out", type=Path, default=Path("runs/retrieval"))
    parser.add_argument("--table", action="store_true", help="print only the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
