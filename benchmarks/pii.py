"""How much personal data is found, how much of what is found is none, and how many rows a second are looked at.

Usage: [SUPERTUNE_DATA=folder] python benchmarks/pii.py [--each 120] [--seed 0] [--missed] [--rows 1000000]

Items made by other libraries are planted in sentences of both languages, with as many look-alikes (`pii_texts.py`). An
item counts as found when a span of its kind has exactly its characters. A span of a kind that meets no planted item of
that kind is a false alarm: those in look-alikes, in other kinds' items and in the sentences without anything all count.
Intervals are Wilson's, 95 %. ``named`` are items behind words that say what they are, ``bare`` those without.

With ``SUPERTUNE_DATA`` the same rows that training reads are looked at as well: what is found in them, and how fast
(SST-2's sentences and waimai's reviews, repeated until there are ``--rows`` of each, processor time of one core).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pii_texts import Planted, planted, tickets
from supertune.data.pii import KINDS, find_pii, mask
from supertune.evaluate.intervals import wilson

AS_KIND = {
    "key or token": "secret",
    "password": "secret",
    "foreign plate": "plate",
    "resident-id of 15 digits": "resident-id",
}
"""Rows of the table that are no kinds of their own."""
CHECKSUMMED = ("resident-id", "bank-card", "iban")


def main() -> int:
    """Measure, print the tables; 1 where a kind with a checksum is below 0.95."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=120, help="texts for every kind and language")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--missed", action="store_true", help="print what was missed and what was found wrongly")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows for the speed; 0 for none")
    options = parser.parse_args()
    texts = [
        text for language in ("en", "zh") for text in planted(language, tickets(language), options.each, options.seed)
    ]
    recalls, wrong, right = judged(texts, show=options.missed)
    good = print_recall(recalls) & print_precision(right, wrong)
    count = sum(1 for text in texts if text.start >= 0)
    alike = sum(1 for text in texts if text.kind and text.start < 0)
    print(f"\n{count:,} items, {alike:,} look-alikes, {len(texts) - count - alike:,} sentences without either")
    again = sum(bool(find_pii(mask(text.text, find_pii(text.text)))) for text in texts)
    print(f"found again in masked texts: {again}")
    if folder := os.environ.get("SUPERTUNE_DATA"):
        real(Path(folder), options.rows, show=options.missed)
    return 0 if good and not again else 1


def judged(
    texts: Iterable[Planted], *, show: bool = False
) -> tuple[dict[tuple[str, str, bool], list[bool]], Counter[str], Counter[str]]:
    """(kind, language, named) → which items were found; kind → false alarms; kind → true ones."""
    recalls: dict[tuple[str, str, bool], list[bool]] = {}
    wrong: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for text in texts:
        spans = find_pii(text.text)
        kind = AS_KIND.get(text.kind or "", text.kind)
        met = [span for span in spans if span.kind == kind and span.start < text.end and span.end > text.start >= 0]
        right.update(span.kind for span in met)
        wrong.update(span.kind for span in spans if span not in met)
        if show and (others := [text.text[span.start : span.end] for span in spans if span not in met]):
            print("false alarm:", text.kind, others, text.text)
        if text.kind and text.start >= 0:
            exact = any((span.start, span.end) == (text.start, text.end) for span in met)
            recalls.setdefault((text.kind, text.language, text.named), []).append(exact)
            if show and not exact:
                print("missed:", text.kind, text.text[text.start : text.end], "|", text.text)
    return recalls, wrong, right


def print_recall(recalls: dict[tuple[str, str, bool], list[bool]]) -> bool:
    """The first table; whether kinds with a checksum reach 0.95."""
    print(f"{'kind':26}{'lang':6}{'items':>6}{'recall':>8}  {'95 %':16}{'named':>7}{'bare':>7}")
    good = True
    for kind, language in dict.fromkeys((kind, language) for kind, language, _ in recalls):
        halves = [recalls.get((kind, language, named), []) for named in (True, False)]
        found = [hit for half in halves for hit in half]
        share = sum(found) / len(found)
        shares = [f"{sum(half) / len(half):7.3f}" if half else f"{'':>7}" for half in halves]
        print(
            f"{kind:26}{language:6}{len(found):6}{share:8.3f}  {interval(sum(found), len(found)):16}{''.join(shares)}"
        )
        good &= share >= 0.95 or kind not in CHECKSUMMED
    return good


def print_precision(right: Counter[str], wrong: Counter[str]) -> bool:
    """The second table; whether kinds with a checksum reach 0.95."""
    print(f"\n{'kind':26}{'found':>6}{'false':>6}{'precision':>11}  95 %")
    good = True
    for kind in KINDS:
        if found := right[kind] + wrong[kind]:
            share = right[kind] / found
            print(f"{kind:26}{found:6}{wrong[kind]:6}{share:11.3f}  {interval(right[kind], found)}")
            good &= share >= 0.95 or kind not in CHECKSUMMED
    return good


def interval(part: int, whole: int) -> str:
    """Wilson's interval as text."""
    low, high = wilson(np.asarray(part), np.asarray(whole))
    return f"{float(low):.3f} to {float(high):.3f}"


def real(folder: Path, rows: int, *, show: bool) -> None:
    """What is found in public sets, and how fast they are looked at."""
    print(f"\n{'set':12}{'rows':>10}{'characters':>12}{'rows/s':>10}  found")
    for name, texts in (("sst2", sst2(folder)), ("waimai", waimai(folder))):
        find_pii("13800138000")
        found = Counter(span.kind for text in texts for span in find_pii(text))
        if show:
            for text in texts:
                print(*(f"{name}: {text[span.start : span.end]} | {text}" for span in find_pii(text)), sep="\n")
        many = (texts * (rows // len(texts) + 1))[:rows] or texts
        start = time.process_time()
        for text in many:
            find_pii(text)
        seconds = time.process_time() - start
        length = sum(map(len, texts)) / len(texts)
        print(f"{name:12}{len(many):10,}{length:12.1f}{len(many) / seconds:10,.0f}  {dict(found)}")


def sst2(folder: Path) -> Sequence[str]:
    """The sentences of SST-2."""
    lines = (folder / "sst2" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def waimai(folder: Path) -> Sequence[str]:
    """The reviews of waimai."""
    with (folder / "waimai_10k.csv").open(encoding="utf-8", newline="") as file:
        return [row["review"] for row in csv.DictReader(file)]


if __name__ == "__main__":
    sys.exit(main())
