"""A million short texts, half Chinese, with planted near duplicates: how many are found, how fast, beside datasketch.

Usage: [SUPERTUNE_DATA=folder] python benchmarks/near_duplicates.py [--rows 1000000] [--peer-rows 20000] [--seed 0]

Texts are made of clauses drawn with the seed: those of Tatoeba, waimai and SST-2 where ``SUPERTUNE_DATA`` names a
folder with them, else of words and characters drawn from lists. Of one text in ten there are one to three copies in
which units are replaced, left out, added or swapped, or only case, width and punctuation differ. The exact Jaccard
similarity of each copy is computed here from the definition, with Python's own sets. Recall is the share of the copies
at or above the threshold that are in one cluster with their original; precision the share of linked pairs whose
similarity, again computed here, is at or above it. Apart from that: the share of all pairs within a cluster that reach
it themselves, and of those that do or are copies of one original (two copies of one text may be less like each other
than like that text).

datasketch does the same job (shingles, MinHash with 128 permutations, LSH, exact comparison, union-find) on the first
rows, with its quickest way of doing it, and rows per second of processor time are compared on those rows; its time
grows with the rows as ours does. Each is run in a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from supertune.data.near_duplicates import NearDuplicates, jaccard, near_duplicates

THRESHOLD = 0.8
PLANTED_SHARE = 0.1
PAIRS = 200_000
"""Pairs of one cluster that are looked at, drawn."""
ENGLISH = (
    "the a my this parcel order refund delivery screen battery invoice account password phone film book story actor "
    "was is not never very quite really arrived broken late early good bad wonderful terrible unbelievable slow quick "
    "after before because although two three weeks days again please help thanks support restaurant waiter cold warm"
)
CHINESE = (
    "快递还没到退款什么时候发货订单号账户密码错误屏幕坏了充电很慢客服不回复颜色尺码不对发票电影非常好看故事无聊味道不错服务"
    "员态度太差外卖凉了下次还来推荐朋友失望性价比高物流谢谢老板包装盒子米饭牛肉汤少辣甜咸等半小时打话送餐小哥"
)
_BREAKS = re.compile(r"[,.;:!?，。；：！？、\s]*[,.;:!?，。；：！？、\n]\s*")
Row = tuple[str, int, float]
"""A text, the row it is a copy of (-1 for none), and how much it is like that one."""


def clauses(folder: str | None, source: random.Random) -> tuple[list[str], list[str]]:
    """English and Chinese clauses, without repeats."""
    if folder is None:
        english = [" ".join(source.choices(ENGLISH.split(), k=source.randint(2, 7))) for _ in range(60_000)]
        chinese = ["".join(source.choices(CHINESE, k=source.randint(4, 10))) for _ in range(60_000)]
        return sorted(set(english)), sorted(set(chinese))
    root = Path(folder)
    pairs = [json.loads(line) for line in (root / "tatoeba_en_zh.jsonl").read_text("utf-8").splitlines()]
    texts = [str(value) for pair in pairs for value in pair.values()]
    for name in ("train", "dev", "test"):
        lines = (root / "sst2" / f"{name}.jsonl").read_text("utf-8").splitlines()
        texts += [str(value) for line in lines for value in json.loads(line).values()]
    with (root / "waimai_10k.csv").open(encoding="utf-8", newline="") as stream:
        texts += [row[1] for row in csv.reader(stream)]
    found = sorted({clause for text in texts for clause in _BREAKS.split(text) if len(clause) > 3})
    chinese = [clause for clause in found if re.search("[一-鿿]", clause)]
    return [clause for clause in found if clause.isascii() and " " in clause], chinese


def planted(rows: int, folder: str | None, seed: int) -> list[Row]:
    """The texts of the benchmark, every other one Chinese, in random order."""
    source = random.Random(seed)
    english, chinese = clauses(folder, source)
    made: list[tuple[str, int, float]] = []
    while len(made) < rows:
        is_chinese = len(made) % 2 == 1
        drawn = source.sample(chinese if is_chinese else english, source.randint(2, 4))
        original, number = ("，" if is_chinese else ", ").join(drawn), len(made)
        made.append((original, -1, 0.0))
        if source.random() < PLANTED_SHARE:
            for _ in range(source.randint(1, 3)):
                copy = changed(original, is_chinese, source)
                made.append((copy, number, jaccard(original, copy)))
    order = list(range(rows))
    source.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    return [(made[old][0], place.get(made[old][1], -1), made[old][2]) for old in order]


def changed(text: str, is_chinese: bool, source: random.Random) -> str:
    """A copy with one to four units changed, or with other case, width and signs."""
    between = "" if is_chinese else " "
    units = list(text) if is_chinese else text.split(" ")
    if source.random() < 0.2:
        marked = text.replace("，", "。 ") + "！！" if is_chinese else text.upper().replace(",", " -") + "!"
        return marked
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(units))
        kind = source.randrange(4)
        if kind == 0:
            units[place] = source.choice(CHINESE) if is_chinese else source.choice(ENGLISH.split())
        elif kind == 1 and len(units) > 2:
            del units[place]
        elif kind == 2:
            units.insert(place, source.choice(CHINESE) if is_chinese else source.choice(ENGLISH.split()))
        elif place + 1 < len(units):
            units[place], units[place + 1] = units[place + 1], units[place]
    return between.join(units)


def with_supertune(texts: list[str]) -> tuple[list[int], list[tuple[int, int]]]:
    """Cluster of each text, and the linked pairs."""
    found: NearDuplicates = near_duplicates(texts, threshold=THRESHOLD)
    links = [(one, other) for one, other in found.links.tolist()]
    return found.cluster.tolist(), links


def with_datasketch(texts: list[str]) -> tuple[list[int], list[tuple[int, int]]]:
    """The same by datasketch: MinHashes in bulk, an LSH for the threshold, each pair it proposes compared exactly."""
    from datasketch import MinHash, MinHashLSH

    sets = [shingle_set(text) for text in texts]
    encoded = ([" ".join(shingle).encode() for shingle in own] for own in sets)
    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    parents = list(range(len(texts)))
    links: list[tuple[int, int]] = []

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for row, minhash in enumerate(MinHash.generator(encoded, num_perm=128)):
        for other in index.query(minhash):
            one, two = root(row), root(other)
            if one == two:
                continue
            common = len(sets[row] & sets[other])
            if common >= THRESHOLD * (len(sets[row]) + len(sets[other]) - common):
                parents[max(one, two)] = min(one, two)
                links.append((other, row))
        index.insert(row, minhash, check_duplication=False)
    roots = [root(row) for row in range(len(texts))]
    together = {one for one, row in zip(roots, range(len(texts)), strict=True) if one != row}
    return [one if one in together else -1 for one in roots], links


def with_rensa(texts: list[str]) -> tuple[list[int], list[tuple[int, int]]]:
    """The same by rensa, whose MinHash and LSH are written in Rust; comparing and joining as for datasketch."""
    from rensa import RMinHash, RMinHashLSH

    sets = [shingle_set(text) for text in texts]
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=128, num_bands=16)
    parents = list(range(len(texts)))
    links: list[tuple[int, int]] = []

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for row, own in enumerate(sets):
        minhash = RMinHash(num_perm=128, seed=1)
        minhash.update([" ".join(shingle) for shingle in own])
        for other in index.query(minhash):
            one, two = root(row), root(other)
            if one == two:
                continue
            common = len(own & sets[other])
            if common >= THRESHOLD * (len(own) + len(sets[other]) - common):
                parents[max(one, two)] = min(one, two)
                links.append((other, row))
        index.insert(row, minhash)
    roots = [root(row) for row in range(len(texts))]
    together = {one for one, row in zip(roots, range(len(texts)), strict=True) if one != row}
    return [one if one in together else -1 for one in roots], links


def shingle_set(text: str) -> set[tuple[str, str]]:
    """What users of such a library write: pairs of words, of Chinese pairs of characters."""
    units = re.findall(r"[一-鿿]|[^\W一-鿿]+", text.lower())
    whole = ["", *units, ""]
    return set(pairwise(whole))


WAYS: dict[str, Callable[[list[str]], tuple[list[int], list[tuple[int, int]]]]] = {
    "supertune": with_supertune,
    "datasketch": with_datasketch,
    "rensa": with_rensa,
}


def judged(rows: Sequence[Row], clusters: Sequence[int], links: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Recall of the planted copies, and precision of what was found, by similarities computed here."""
    alike = [(row, of) for row, (_, of, similarity) in enumerate(rows) if of >= 0 and similarity >= THRESHOLD]
    found = sum(clusters[row] == clusters[of] >= 0 for row, of in alike)
    texts = [text for text, _, _ in rows]
    right = sum(jaccard(texts[one], texts[other]) >= THRESHOLD for one, other in links)
    members: dict[int, list[int]] = {}
    for row, cluster in enumerate(clusters):
        if cluster >= 0:
            members.setdefault(cluster, []).append(row)
    source = random.Random(0)
    pairs = [(one, other) for own in members.values() for one in own for other in own[:50] if other < one]
    drawn = pairs if len(pairs) <= PAIRS else source.sample(pairs, PAIRS)
    origins = [row if of < 0 else of for row, (_, of, _) in enumerate(rows)]
    within, meant = 0, 0
    for one, other in drawn:
        reaches = jaccard(texts[one], texts[other]) >= THRESHOLD
        within += reaches
        meant += reaches or origins[one] == origins[other]
    return {
        "planted": len(alike),
        "recall": found / max(len(alike), 1),
        "links": len(links),
        "precision of links": right / max(len(links), 1),
        "pairs in clusters": len(pairs),
        "precision of pairs in clusters": within / max(len(drawn), 1),
        "or of one original": meant / max(len(drawn), 1),
        "clusters": len(members),
        "largest": max(map(len, members.values()), default=0),
    }


def measure(way: str, path: Path) -> dict[str, Any]:
    """Run one way in this process over the rows of a file: what it found, its time, and the memory at its peak."""
    rows: list[Row] = [tuple(row) for row in json.loads(path.read_text("utf-8"))]
    texts = [text for text, _, _ in rows]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, processor = time.perf_counter(), time.process_time()
    clusters, links = WAYS[way](texts)
    seconds = {"processor seconds": time.process_time() - processor, "seconds": time.perf_counter() - wall}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    speed = {"rows per second of processor": len(texts) / seconds["processor seconds"]}
    return {**seconds, **speed, "peak MB": peak, "MB before": before, **judged(rows, clusters, links)}


def run_apart(way: str, path: Path) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--measure", way, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{way}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def show(title: str, found: dict[str, Any]) -> None:
    """One way's figures."""
    told = ", ".join(
        f"{name} {value:,.4g}" if value < 1000 else f"{name} {value:,.0f}" for name, value in found.items()
    )
    print(f"{title}: {told}", flush=True)


def main() -> int:
    """Make the rows, let every way find what is planted, and say how it went."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="times that the peers are measured, in turn")
    parser.add_argument("--peers", nargs="*", default=["datasketch"], choices=["datasketch", "rensa"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = os.environ.get("SUPERTUNE_DATA")
    print(f"clauses: {'drawn from lists of words' if folder is None else 'of public texts'}, seed {options.seed}")
    with tempfile.TemporaryDirectory() as temporary:
        path, few = Path(temporary) / "all.json", Path(temporary) / "few.json"
        path.write_text(json.dumps(planted(options.rows, folder, options.seed)), "utf-8")
        whole = run_apart("supertune", path)
        show(f"supertune, {options.rows:,} rows", whole)
        few.write_text(json.dumps(planted(options.peer_rows, folder, options.seed)), "utf-8")
        speeds: dict[str, list[float]] = {}
        for number in range(options.rounds):
            for way in ("supertune", *options.peers):
                found = run_apart(way, few)
                speeds.setdefault(way, []).append(found["rows per second of processor"])
                if number == 0:
                    show(f"{way}, {options.peer_rows:,} rows", found)
    best = {way: max(found) for way, found in speeds.items()}
    for way in options.peers:
        print(
            f"beside {way}, rows per second of processor, best of {options.rounds}: {best['supertune']:,.0f} and "
            f"{best[way]:,.0f} on {options.peer_rows:,} rows, {best['supertune'] / best[way]:.1f} times; "
            f"with the {options.rows:,} rows {whole['rows per second of processor'] / best[way]:.1f} times"
        )
    good = whole["recall"] >= 0.97 and whole["precision of links"] >= 0.97 and whole["peak MB"] < 4096
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
