"""Time and memory of reading, tokenising and batching 10,000, 100,000 and 1,000,000 short rows.

    python benchmarks/scale.py [--rows N ...] [--model minilm]

Each stage is a process of its own: cold (nothing cached), warm (the same again) and batches (one epoch of batches
of 16 rows, then one of 2,048 tokens, made and thrown away). Memory is what a step takes at its peak beyond what was
taken before it, in two parts: anonymous memory, and pages of mapped files, which the system can drop (on Linux only).
Exit code 1 when a row takes more than 1.5 times as much processor time, or 100 bytes more anonymous memory, in the
largest table than in the second largest.
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
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIZES = (10_000, 100_000, 1_000_000)
STAGES = ("cold", "warm", "batches")
SLOWER, BYTES_PER_ROW = 1.5, 100
MAX_LENGTH = 128
ENGLISH = (
    "the a my this parcel order refund delivery screen battery invoice account password phone film book story actor "
    "was is not never very quite really arrived broken late early good bad wonderful terrible unbelievable slow quick "
    "after before because although two three weeks days again please help thanks support restaurant waiter cold warm"
)
CHINESE = (
    "快递 还没到 退款 什么时候 发货 订单号 账户 密码 错误 屏幕 坏了 充电 很慢 客服 不回复 颜色 尺码 不对 发票 "
    "电影 非常 好看 故事 无聊 味道 不错 服务员 态度 太差 外卖 凉了 下次 还来 推荐 朋友 失望 性价比 很高 物流 谢谢"
)
LABELS = ("delivery", "refund", "account", "product")


def generate(path: Path, rows: int) -> None:
    """Write rows of 3 to 20 words, half English and half Chinese."""
    source, english, chinese = random.Random(rows), ENGLISH.split(), CHINESE.split()
    with path.open("w", encoding="utf-8") as stream:
        for row in range(rows):
            words = source.choices(english if row % 2 else chinese, k=source.randint(3, 20))
            text = f"{' '.join(words)} {row}." if row % 2 else f"{''.join(words)}，{row}。"
            stream.write(json.dumps({"text": text, "label": source.choice(LABELS)}, ensure_ascii=False) + "\n")


def memory() -> dict[str, float]:
    """Resident bytes of this process now: ``anonymous`` and ``mapped``; nothing where the system does not tell."""
    if sys.platform != "linux":
        return {}
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    found = {words[0]: float(words[1]) * 1024 for words in lines if words[0] in ("RssAnon:", "RssFile:")}
    return {"anonymous": found["RssAnon:"], "mapped": found["RssFile:"]}


class Steps:
    """Measures the steps of one stage."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Wall and processor seconds of the block, and the most memory it took."""
        start, over = memory(), threading.Event()
        peaks = dict.fromkeys(start, 0.0)

        def watch() -> None:
            while not over.wait(0.01):
                for kind, value in memory().items():
                    peaks[kind] = max(peaks[kind], value - start[kind])

        thread = threading.Thread(target=watch)
        thread.start()
        wall, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            seconds = {"seconds": time.perf_counter() - wall, "processor": time.process_time() - processor}
            over.set()
            thread.join()
        self.found[name] = {**seconds, **peaks}


def run(stage: str, path: Path, model: str) -> dict[str, Any]:
    """Read and tokenise the file, and in the last stage make two epochs of batches."""
    import torch
    import transformers  # noqa: F401

    from supertune.contracts import Columns
    from supertune.data import TokenCache, read
    from supertune.models import load_tokenizer, resolve
    from supertune.recipes.encode import encode_labelled
    from supertune.tasks import ClassificationTask
    from supertune.train import Batching, collate, epoch_order

    tokenizer = load_tokenizer(resolve(model), max_length=MAX_LENGTH)
    task = ClassificationTask(Columns(text=("text",), labels=("label",)), labels=LABELS)
    cache = TokenCache(lambda text: sys.exit(f"the cache failed: {text}"))
    torch.set_num_threads(1)
    steps = Steps()
    with steps.step("read"):
        table = read(path)
    with steps.step("tokenise"):
        features = encode_labelled(task, table, tokenizer, MAX_LENGTH, cache=cache)
    if stage == "batches":
        steps.found.clear()
        for name, batching in (("16 rows", Batching(16)), ("2,048 tokens", Batching(tokens=2048))):
            with steps.step(name):
                for items in epoch_order(features, batching, 0, 0):
                    collate(features, items, {"input_ids": 0})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"steps": steps.found, "peak": peak, "tokens": int(features.offsets[-1])}


def compare(sizes: list[int], model: str) -> int:
    """Measure every stage at every size, print a table, and judge the two largest; returns the exit code."""
    print("     rows  stage    step          wall s   CPU s  CPU µs/row  anonymous MB  mapped MB")
    costs: dict[int, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="supertune-scale-") as folder:
        environment = os.environ | {"SUPERTUNE_CACHE": f"{folder}/cache"}
        for rows in sorted(sizes):
            path = Path(folder) / f"{rows}.jsonl"
            generate(path, rows)
            for stage in STAGES:
                command = [sys.executable, __file__, "--stage", stage, "--path", str(path), "--model", model]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
                found = json.loads(done.stdout.splitlines()[-1])
                for step, cost in found["steps"].items():
                    costs.setdefault(rows, {})[f"{stage}, {step}"] = cost
                    print(f"{rows:>9,}  {stage:<8} {step:<12} {_shown(cost, rows)}", flush=True)
                print(f"{'':>9}  {stage:<8} whole process: peak {found['peak'] / 1e6:,.0f} MB resident")
            print(f"{'':>9}  {found['tokens']:,} tokens from {path.stat().st_size / 1e6:,.1f} MB of JSON Lines")
    return verdict(costs, *sorted(sizes)[-2:]) if len(sizes) > 1 else 0


def _shown(cost: dict[str, float], rows: int) -> str:
    per_row = 1e6 * cost["processor"] / rows
    taken = [f"{cost[kind] / 1e6:.0f}" if kind in cost else "-" for kind in ("anonymous", "mapped")]
    return f"{cost['seconds']:>7.2f} {cost['processor']:>7.2f} {per_row:>11.1f} {taken[0]:>13} {taken[1]:>10}"


def verdict(costs: dict[int, dict[str, dict[str, float]]], fewer: int, more: int) -> int:
    """Say what grows faster than the rows; 1 if anything does."""
    failed = 0
    print(f"\nfrom {fewer:,} to {more:,} rows")
    for step, large in costs[more].items():
        small = costs[fewer][step]
        slower = large["processor"] / more / (small["processor"] / fewer)
        grown = (large.get("anonymous", 0.0) - small.get("anonymous", 0.0)) / (more - fewer)
        wrong = slower > SLOWER or grown > BYTES_PER_ROW
        failed = failed or int(wrong)
        print(f"  {step:<22} {slower:4.2f} × the time per row, {grown:4.0f} bytes per further row{' !' * wrong}")
    return failed


def main() -> int:
    """Start a measured process per size and stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.stage:
        return compare(arguments.rows, arguments.model)
    print(json.dumps(run(arguments.stage, arguments.path, arguments.model)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
