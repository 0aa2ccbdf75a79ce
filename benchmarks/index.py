"""100,000 passages indexed and searched: memory, bytes, recall, and queries per second beside brute force.

Usage: SUPERTUNE_DATA=folder python benchmarks/index.py [--out runs/index] [--passages 100000] [--rounds 7]

Passages are distinct texts, the shortest by their bytes, shuffled with seed 0: both sides of Tatoeba, SST-2, SICK,
TREC, waimai, DialogSum's turns, and the sentences of CMRC 2018, XQuAD and the Alpaca samples; queries are 1,000 more,
which are no passages. ``supertune index`` embeds them once, with ``minilm``, and is killed and gone on with if need be;
the other kinds of index are made by the same command from the vectors of the first. All are searched in turn in one
process, in another order in each round, and processor time counts; brute force is numpy's product of all with all and
``argpartition``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Columns
from supertune.data import read
from supertune.passages import begin, nearest, open_folder, place_of, recall, sole_maker
from supertune.passages.graph import EFFORTS
from supertune.recipes.embedder import open_embedder
from supertune.recipes.passages import fingerprint_of
from supertune.sentences import sentences

MODEL = "minilm"
QUERIES, COUNT = 1000, 10
SINGLE = 100
"""Queries that are asked one by one."""

Seconds = dict[str, list[float]]
"""Way to search → seconds in each round."""

KINDS: dict[str, list[str]] = {
    "float32": ["--approximate"],
    "float16": ["--storage", "float16"],
    "int8": ["--storage", "int8"],
    "binary": ["--storage", "binary"],
    "binary alone": ["--storage", "binary", "--rescore", "none"],
}


def main() -> int:
    """Make what is missing, measure, and print the tables; skip with a word when the data are not there."""
    if sys.argv[1:2] == ["--run"]:
        return run(sys.argv[2:])
    options = parse()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "tatoeba_en_zh.jsonl").is_file():
        print("skipped: set SUPERTUNE_DATA to the folder with tatoeba_en_zh.jsonl and the others")
        return 0
    if options.peak:
        print(json.dumps(peak_of(options.out, options.peak)))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    passages, queries = options.out / "passages.jsonl", options.out / "queries.jsonl"
    if not queries.exists():
        write_corpus(data, passages, queries, options.passages)
    print("kind          made in s   peak MB   MB on disk: vectors, finer, graph, words, rows")
    for kind, choices in KINDS.items():
        print(made(options.out, kind, choices), flush=True)
    if not (options.out / "queries.npy").exists():
        texts = [json.loads(line)["text"] for line in queries.read_text(encoding="utf-8").splitlines()]
        np.save(options.out / "queries.npy", open_embedder(MODEL).encode(texts, "query"))
    for method in ("exact", "approximate", "bm25", "hybrid"):
        print(retrieved(options.out, method), flush=True)
    table(options.out, options.rounds)
    return 0


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("runs/index"))
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(arguments: list[str]) -> int:
    """Run ``supertune`` here, and print the peak of resident megabytes as the last line."""
    from supertune.cli import main as supertune

    try:
        supertune(arguments)
    except SystemExit as ended:
        print(peak())
        return int(ended.code or 0)
    return 1


def peak() -> float:
    """Peak resident megabytes of this process."""
    if sys.platform == "linux":
        # Not getrusage: what that says begins with the memory of the process that started this one.
        told = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return float(told.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def child(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak resident megabytes of a command of supertune in a process of its own."""
    command = [sys.executable, __file__, "--run", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"supertune {' '.join(arguments)} ended with {done.returncode}")
    return time.perf_counter() - started, float(done.stdout.splitlines()[-1])


def made(out: Path, kind: str, choices: list[str]) -> str:
    """A line on an index, made if it is not there; the first one embeds, the others take over its vectors."""
    place, told = out / kind, out / f"{kind}.json"
    if not place.exists():
        if kind != "float32":
            take_over(out / "float32", out / "passages.jsonl", place)
        command = ["index", str(out / "passages.jsonl"), "--text", "text", "--model", MODEL]
        told.write_text(json.dumps(child([*command, "--out", str(place), "--quiet", *choices])))
    seconds, peak = json.loads(told.read_text()) if told.exists() else (float("nan"), float("nan"))
    files = open_folder(place, verify=False).manifest["files"]
    parts = [
        sum(told["bytes"] for name, told in files.items() if name.startswith(part)) / 1e6
        for part in ("vectors", "finer", "graph", "bm25", "rows")
    ]
    return f"{kind:<14}{seconds:>9.0f} {peak:>9.0f}   {', '.join(f'{part:.1f}' for part in parts)}"


def take_over(index: Path, data: Path, out: Path) -> None:
    """Begin an index with all the vectors of another one."""
    opened, table = open_folder(index), read(data)
    fingerprint = fingerprint_of(table, Columns(("text",)), open_embedder(MODEL), split=False)
    notes = {name: opened.manifest["passages"][name] for name in ("blank", "cut", "divided")}
    with sole_maker(out):
        partial = begin(out, fingerprint, opened.spans, opened.width, notes)
        partial.add(opened.vectors.block(0, len(opened)))
    assert place_of(out).exists()


def retrieved(out: Path, method: str) -> str:
    """A line on the whole command: model opened, 1,000 queries embedded, found and written."""
    found = out / "found.jsonl"
    found.unlink(missing_ok=True)
    command = [
        "retrieve",
        str(out / "float32"),
        "--file",
        str(out / "queries.jsonl"),
        "--text",
        "text",
    ]
    seconds, peak = child([*command, "--out", str(found), "--method", method, "--quiet"])
    rows = found.read_text(encoding="utf-8").count("\n")
    return f"supertune retrieve --method {method}: {rows:,} queries in {seconds:.1f} s, peak {peak:.0f} MB"


def peak_of(out: Path, kind: str) -> float:
    """Peak resident megabytes of this process after 1,000 queries searched exactly, without the model."""
    open_folder(out / kind).exact(np.load(out / "queries.npy"), COUNT)
    return peak()


def table(out: Path, rounds: int) -> None:
    """Recall and queries per second of every way to search, together and one by one."""
    queries = np.load(out / "queries.npy")
    texts = [json.loads(line)["text"] for line in (out / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    opened = {kind: open_folder(out / kind) for kind in KINDS}
    whole = opened["float32"].vectors
    matrix = np.array(whole.block(0, len(whole)))
    truth = nearest(whole, queries, COUNT)
    ways: dict[str, Callable[[slice], Any]] = {"brute force, numpy": lambda some: brute_force(matrix, queries[some])}
    for kind, index in opened.items():
        ways[f"exact, {kind}"] = lambda some, index=index: index.exact(queries[some], COUNT)
    for effort in EFFORTS:
        ways[f"approximate, effort {effort}"] = lambda some, effort=effort: opened["float32"].approximate(
            queries[some], COUNT, effort=effort
        )
    ways["bm25"] = lambda some: opened["float32"].by_words(texts[some], COUNT)
    recalls = {}
    for name, way in ways.items():
        found = way(slice(0, QUERIES))
        if hasattr(found, "ids") and name != "bm25":
            shares = recall(found, truth, whole, queries)
            recalls[name] = f"{shares.mean():.3f} ± {1.96 * shares.std() / np.sqrt(len(shares)):.3f}"
    together, single = times(ways, rounds)
    print(f"\n{len(whole):,} passages, {QUERIES:,} queries, recall@{COUNT} ± 1.96 standard errors; {rounds} rounds")
    print(f"{'':<30}{'recall':>16}{'all/s':>12}{'× brute force':>22}{'single/s':>12}{'× brute force':>22}  peak MB")
    base = "brute force, numpy"
    for name in ways:
        kind = name.removeprefix("exact, ")
        peak = (
            json.loads(subprocess.check_output([sys.executable, __file__, "--out", str(out), "--peak", kind]))
            if (kind in KINDS)
            else None
        )
        line = f"{name:<30}{recalls.get(name, ''):>16}"
        for measured, asked in ((together, QUERIES), (single, SINGLE)):
            ratios = [one / other for one, other in zip(measured[base], measured[name], strict=True)]
            spread = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
            line += f"{asked / statistics.median(measured[name]):>12,.0f}{spread:>22}"
        print(line + (f"{peak:>9.0f}" if peak else ""), flush=True)


def times(
    ways: dict[str, Callable[[slice], Any]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Processor seconds of each way in each round: all queries together, and the first `SINGLE` one by one."""
    together: Seconds = {name: [] for name in ways}
    single: Seconds = {name: [] for name in ways}
    order = list(ways)
    for turn in range(rounds):
        random.Random(turn).shuffle(order)
        for name in order:
            start = time.process_time()
            ways[name](slice(0, QUERIES))
            together[name].append(time.process_time() - start)
            start = time.process_time()
            for number in range(SINGLE):
                ways[name](slice(number, number + 1))
            single[name].append(time.process_time() - start)
    return together, single


def brute_force(matrix: Any, queries: Any) -> Any:
    """What one writes in three lines: int64 (queries, 10), 100 queries at a time so that products fit into memory."""
    found = []
    for start in range(0, len(queries), 100):
        scores = queries[start : start + 100] @ matrix.T
        near = np.argpartition(scores, -COUNT, axis=1)[:, -COUNT:]
        order = np.argsort(-np.take_along_axis(scores, near, axis=1), axis=1)
        found.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(found)


def write_corpus(data: Path, passages: Path, queries: Path, count: int) -> None:
    """Write ``count`` passages and the queries as JSON Lines.

    Raises:
        SystemExit: There are not as many distinct texts.
    """
    texts = sorted({folded for text in corpus(data) if (folded := " ".join(text.split()))})
    if len(texts) < count + QUERIES:
        raise SystemExit(f"{len(texts):,} distinct texts are there, {count + QUERIES:,} are needed")
    texts = sorted(texts, key=lambda text: len(text.encode()))[: count + QUERIES]
    random.Random(0).shuffle(texts)
    for path, some in ((passages, texts[:count]), (queries, texts[count : count + QUERIES])):
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in some)
        path.write_text("".join(lines), encoding="utf-8")


def corpus(data: Path) -> Iterator[str]:
    """Every text, some of them more than once."""
    for name, columns in (
        ("tatoeba_en_zh.jsonl", ("en", "zh")),
        ("sst2/*.jsonl", ("text",)),
        ("sick/*.jsonl", ("text_a", "text_b")),
        ("trec/*.jsonl", ("text",)),
    ):
        for row in lines(data, name):
            yield from (row[column] for column in columns)
    with (data / "waimai_10k.csv").open(encoding="utf-8-sig", newline="") as stream:
        yield from (row["review"] for row in csv.DictReader(stream))
    for row in lines(data, "dialogsum_dev.jsonl"):
        for value in row.values():
            yield from value.splitlines() if isinstance(value, str) else ()
    for path in (*sorted(data.glob("cmrc2018/*.json")), *sorted(data.glob("xquad/*.json"))):
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                yield from sentences(paragraph["context"])
                yield from (asked["question"] for asked in paragraph["qas"])
    for path in sorted(data.glob("alpaca/*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            for value in row.values():
                yield from sentences(value) if isinstance(value, str) else ()


def lines(data: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of JSON Lines files."""
    for path in sorted(data.glob(name)):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


if __name__ == "__main__":
    raise SystemExit(main())
