"""Conversations to tokens with exact masks: rows per second and memory, beside `datasets.map` as TRL calls it.

Usage: python benchmarks/rendering.py [--rows 200000] [--repeats 1] [--model gemma-270m] [--pairs 0]

A file of conversations of two to six messages is written once. ``ours`` reads it, renders, tokenises and keeps the
tokens; ``again`` is the next start, which finds them. ``map`` is what TRL's SFTTrainer does before training with
``assistant_only_loss``: ``Dataset.map`` over rows, each through ``apply_chat_template`` with the mask of the template's
own ``{% generation %}`` blocks. All three learn the same tokens by the same template; each runs in a process of its own
with empty caches (``again`` with that of ``ours``), one after the other in every repeat. Seconds are those on the wall;
core seconds those of all processor cores together, which say more where other programs run.

With ``--pairs N`` both ways take turns in one process, N times the same 1,000 rows: what a row costs once everything is
loaded, and where others use the machine as well. Reading the file is counted for ``ours`` and not for ``map``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENGLISH = "where is my parcel it was to come on monday please tell me the refund of lamp and when they will answer"

CHINESE = "快递还没到退款什么时候发货订单号账户密码错误屏幕坏了充电很慢客服不回复颜色尺码不对发票开具"
TEMPLATE = (
    "{{- bos_token }}{%- for m in messages %}{{- '<start_of_turn>' + m.role + '\\n' }}"
    "{%- if m.role == 'assistant' %}{% generation %}{{- m.content + eos_token }}{% endgeneration %}"
    "{%- else %}{{- m.content }}{%- endif %}{{- '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<start_of_turn>assistant\\n' }}{%- endif %}"
)
WAYS = ("ours", "again", "map")
ROWS_OF_A_PAIR, WARM_UP = 1000, 6


def main() -> int:
    """Measure every way in turn, and print the table."""
    options = parse()
    if options.pairs:
        pairs(options.pairs, options.model)
        return 0
    if options.child:
        print(json.dumps(CHILDREN[options.child](options.file, options.model)))
        return 0
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "rows.jsonl"
        write(file, options.rows)
        for repeat in range(options.repeats):
            for way in WAYS:
                # What one start keeps, the next one finds.
                cache = Path(scratch) / f"cache-{repeat}-{'map' if way == 'map' else 'ours'}"
                found[way].append(measured(way, file, options.model, cache))
                print(f"repeat {repeat + 1}, {way}: {found[way][-1]}", flush=True)
    table(found, options.rows)
    return 0


def write(file: Path, rows: int) -> None:
    """Conversations of two to six messages, half English and half Chinese, the same for every run."""
    draw = random.Random(0)
    with file.open("w", encoding="utf-8") as stream:
        for row in range(rows):
            said = [
                " ".join(draw.choices(ENGLISH.split(), k=draw.randint(5, 60)))
                if row % 2
                else "".join(draw.choices(CHINESE, k=draw.randint(8, 90)))
                for _ in range(draw.choice((2, 2, 2, 4, 6)))
            ]
            roles = ("user", "assistant")
            messages = [{"role": roles[place % 2], "content": content} for place, content in enumerate(said)]
            stream.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def measured(way: str, file: Path, model: str, cache: Path) -> dict[str, Any]:
    """Seconds, tokens and peak memory of one way, in a process of its own."""
    cache.mkdir(exist_ok=True)
    # Models are looked for where they were imported; what is made of rows goes into the cache of this repeat.
    surroundings = {
        **os.environ,
        "HF_HOME": str(cache),
        "TOKENIZERS_PARALLELISM": "true",
        "RENDERING_CACHE": str(cache),
    }
    line = [sys.executable, __file__, "--child", way, "--file", str(file), "--model", model]
    done = subprocess.run(line, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def tokenizer_of(model: str) -> Any:
    """The model's tokenizer with the template of this benchmark."""
    from supertune.models import load_tokenizer, resolve

    tokenizer = load_tokenizer(resolve(model), max_length=1024)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def ours(file: Path, model: str) -> dict[str, Any]:
    """Read, render, tokenise, keep; or find what was kept."""
    from supertune.data import TokenCache, infer_columns, read
    from supertune.recipes.encode import encode_labelled
    from supertune.recipes.start import usable_cores
    from supertune.tasks import TASKS

    tokenizer = tokenizer_of(model)
    os.environ["SUPERTUNE_CACHE"] = os.environ["RENDERING_CACHE"]
    begun = clocks()
    rows = read(file)
    columns = infer_columns(rows, answers="generated")
    task = TASKS["chat"].built(columns, {})
    read_in = time.perf_counter() - begun[0]
    features = encode_labelled(task, rows, tokenizer, 1024, cache=TokenCache(print), processes=usable_cores())
    needed = [now - then for now, then in zip(clocks(), begun, strict=True)]
    learned = int((features.tokens["weights"] != 0).sum())
    return told(needed, len(features.tokens["input_ids"]), learned, read=round(read_in, 2))


def mapped(file: Path, model: str) -> dict[str, Any]:
    """As TRL 1.16 prepares conversations for ``assistant_only_loss``, in one process."""
    import datasets

    tokenizer = tokenizer_of(model)
    datasets.disable_progress_bars()
    begun = clocks()
    rows = datasets.load_dataset("json", data_files=str(file), split="train")
    read_in = time.perf_counter() - begun[0]

    made = rows.map(as_trl(tokenizer))
    needed = [now - then for now, then in zip(clocks(), begun, strict=True)]
    tokens = learned = 0
    for batch in made.select_columns(["input_ids", "assistant_masks"]).iter(1000):
        tokens += sum(map(len, batch["input_ids"]))
        learned += sum(map(sum, batch["assistant_masks"]))
    return told(needed, tokens, learned, read=round(read_in, 2))


def as_trl(tokenizer: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What TRL does with a row."""

    def tokenized(row: dict[str, Any]) -> dict[str, Any]:
        found = tokenizer.apply_chat_template(row["messages"], return_dict=True, return_assistant_tokens_mask=True)
        return {"input_ids": found["input_ids"], "assistant_masks": found["assistant_masks"]}

    return tokenized


def pairs(count: int, model: str) -> None:
    """Both ways in turn on the same rows, in this process."""
    with tempfile.TemporaryDirectory() as scratch:
        # Before the library is imported, which looks for it then.
        os.environ["HF_HOME"] = scratch
        import datasets

        from supertune.conversation_rows import conversations_of
        from supertune.data import infer_columns, read
        from supertune.tasks import TASKS

        datasets.disable_progress_bars()
        file = Path(scratch) / "rows.jsonl"
        write(file, ROWS_OF_A_PAIR)
        tokenizer = tokenizer_of(model)
        columns = infer_columns(read(file), answers="generated")
        encoder = TASKS["chat"].built(columns, {}).encoder(tokenizer, 1024)
        rows = datasets.load_dataset("json", data_files=str(file), split="train")

        def ours(_: int) -> None:
            for _piece in encoder.batches(conversations_of(read(file), columns)):
                pass

        def mapped(number: int) -> None:
            # To make a name of the function, the library would write out the tokenizer every time.
            rows.map(as_trl(tokenizer), new_fingerprint=f"round{number}")

        for number in range(WARM_UP):
            ours(number)
        mapped(-1)
        needed: dict[str, list[list[float]]] = {"ours": [], "map": []}
        for number in range(count):
            for name, way in (("ours", ours), ("map", mapped)):
                begun = clocks()
                way(number)
                needed[name].append([now - then for now, then in zip(clocks(), begun, strict=True)])
    for clock, called in enumerate(("on the wall", "of processor cores")):
        own, theirs = ([each[clock] / ROWS_OF_A_PAIR * 1e6 for each in needed[name]] for name in ("ours", "map"))
        ratios = [two / one for one, two in zip(own, theirs, strict=True)]
        print(
            f"{called}, microseconds per row: ours {statistics.median(own):.0f} [{min(own):.0f}, {max(own):.0f}], "
            f"map {statistics.median(theirs):.0f} [{min(theirs):.0f}, {max(theirs):.0f}]; "
            f"map / ours {statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
        )


CHILDREN = {"ours": ours, "again": ours, "map": mapped}


def clocks() -> tuple[float, float]:
    """Seconds on the wall, and of all processor cores that this process had, and those that it has ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), time.process_time() + ended.ru_utime + ended.ru_stime


def told(needed: list[float], tokens: int, learned: int, **more: Any) -> dict[str, Any]:
    """What a child has to say."""
    wall, cores = needed
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1024)
    result = {"seconds": round(wall, 2), "core_seconds": round(cores, 2), **more}
    return {**result, "tokens": tokens, "learned": learned, "peak_mb": round(peak)}


def table(found: dict[str, list[dict[str, Any]]], rows: int) -> None:
    """Medians and spread."""
    print(f"\n{rows:,} rows; medians of {len(found['ours'])}, in brackets the spread")
    print(f"{'':8} {'seconds':>20} {'rows/s':>8} {'core s':>8} {'tokens':>12} {'learned':>12} {'peak MB':>9}")
    for way, results in found.items():
        seconds = [each["seconds"] for each in results]
        middle = statistics.median(seconds)
        spread = f"{middle:.1f} [{min(seconds):.1f}, {max(seconds):.1f}]"
        peak = statistics.median(each["peak_mb"] for each in results)
        last = results[-1]
        cores = statistics.median(each["core_seconds"] for each in results)
        learned = f"{last['tokens']:>12,} {last['learned']:>12,}"
        print(f"{way:8} {spread:>20} {rows / middle:>8,.0f} {cores:>8.1f} {learned} {peak:>9,.0f}")
    for clock, called in (("seconds", "wall"), ("core_seconds", "processor cores")):
        ratios = [theirs[clock] / own[clock] for own, theirs in zip(found["ours"], found["map"], strict=True)]
        print(f"map / ours, {called}: {statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--model", default="gemma-270m")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--child", choices=WAYS)
    parser.add_argument("--file", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
