"""Reads, checks and splits a JSON Lines file of five million rows, and measures time and peak memory.

    python benchmarks/reading.py [--rows N]

The work happens in a fresh process with an empty cache. Exit code 1 when its resident memory ever exceeded 1 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT_MB = 1000
ENGLISH = "the parcel order refund delivery late broken screen battery invoice account password please help"
CHINESE = "快递还没到退款什么时候发货订单号账户密码错误屏幕坏了充电很慢客服不回复颜色尺码不对发票开具"
LABELS = ("delivery", "refund", "account", "product", "invoice", "other")


def generate(path: Path, rows: int) -> None:
    """Write rows of about 60 characters, half English and half Chinese, some of them repeated."""
    source, words = random.Random(0), ENGLISH.split()
    with path.open("w", encoding="utf-8") as stream:
        text = ""
        for row in range(rows):
            if row % 200:
                if row % 2:
                    text = " ".join(source.choices(words, k=9)) + f" {row}"
                else:
                    text = "".join(source.choices(CHINESE, k=52)) + f"，{row}。"
            label = source.choices(LABELS, (40, 25, 15, 10, 6, 4))[0]
            stream.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Print how long the block took and the peak resident memory so far."""
    start = time.perf_counter()
    yield
    print(f"{name:<24} {time.perf_counter() - start:8.1f} s   peak {peak_mb():6.0f} MB", flush=True)


def peak_mb() -> float:
    """The most resident memory this process ever had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def work(path: Path) -> int:
    """Read, infer, check and split; returns the exit code."""
    with timed("import"):
        from supertune import data
    with timed("read"):
        start = time.perf_counter()
        table = data.read(path)
        rate = len(table) / (time.perf_counter() - start)
    print(f"{'':24} {rate:8,.0f} rows/s, {len(table):,} rows")
    with timed("read again (from cache)"):
        table = data.read(path)
    with timed("fingerprint"):
        table.fingerprint  # noqa: B018
    with timed("infer columns"):
        columns = data.infer_columns(table)
    with timed("unlabelled"):
        table, _ = data.set_aside_unlabelled(table, columns.label or "")
    with timed("check"):
        findings = data.run_checks(data.CheckInput({"all": table}, columns))
    print("\n".join(f"    {finding.severity}: {finding.message}" for finding in findings))
    with timed("split"):
        splits = data.split_table(table, columns, seed=0)
    with timed("read through the splits"):
        rows = {name: sum(len(batch["text"]) for batch in split.batches()) for name, split in splits.items()}
    print(f"    {rows}")
    peak = peak_mb()
    print(f"peak resident memory: {peak:.0f} MB (limit {LIMIT_MB} MB)")
    return 1 if peak > LIMIT_MB else 0


def main() -> int:
    """Generate the file and start the measured process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        return work(arguments.work)
    with tempfile.TemporaryDirectory(prefix="supertune-reading-") as folder:
        path = Path(folder) / "rows.jsonl"
        start = time.perf_counter()
        generate(path, arguments.rows)
        print(f"generated {path.stat().st_size / 1e6:,.0f} MB in {time.perf_counter() - start:.0f} s", flush=True)
        environment = os.environ | {"SUPERTUNE_CACHE": folder}
        return subprocess.run([sys.executable, __file__, "--work", str(path)], env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
