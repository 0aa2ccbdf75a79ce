"""How many kinds of questions a part of TREC holds: chosen to stand for all, by k-center, and at random.

Usage: SUPERTUNE_DATA=folder python benchmarks/diverse.py

The kinds are TREC's 50 fine classes, which nobody is shown. Random parts are drawn with seeds 0 to 19.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

from supertune.data.diverse import diverse_rows, term_vectors

SIZES = (50, 100, 200, 500)
DRAWS = 20


def main() -> int:
    """Print the table; skip with a word when the data are not there."""
    file = Path(os.environ.get("SUPERTUNE_DATA", "")) / "trec/train.jsonl"
    if not file.is_file():
        print("skipped: set SUPERTUNE_DATA to the folder with trec/")
        return 0
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    texts, kinds = [row["text"] for row in rows], np.array([row["fine_label"] for row in rows])
    print(f"{len(rows):,} rows, {len(set(kinds))} kinds")
    print(f"{'rows':>5} {'diverse':>8} {'k-center':>9} {'random':>7}")
    center = k_center(term_vectors(texts), max(SIZES))
    for size in SIZES:
        chance = [len(set(kinds[np.random.default_rng(seed).choice(len(rows), size, False)])) for seed in range(DRAWS)]
        told = len(set(kinds[diverse_rows(texts, size)])), len(set(kinds[center[:size]])), statistics.mean(chance)
        print(f"{size:5} {told[0]:8} {told[1]:9} {told[2]:7.1f}")
    return 0


def k_center(vectors: Any, count: int) -> list[int]:
    """Rows each of which is the least like those before it; the first is the most like all (Gonzalez 1985)."""
    chosen = [int(np.asarray(vectors @ np.asarray(vectors.sum(axis=0)).ravel()).argmax())]
    likeness = np.asarray((vectors @ vectors[chosen[0]].T).todense()).ravel()
    while len(chosen) < count:
        likeness[chosen] = np.inf
        chosen.append(int(likeness.argmin()))
        likeness = np.maximum(likeness, np.asarray((vectors @ vectors[chosen[-1]].T).todense()).ravel())
    return chosen


if __name__ == "__main__":
    sys.exit(main())
