"""Training speed beside Hugging Face's Trainer: SST-2 on minilm, batch 16, the same rows, epochs and lengths.

Usage: SUPERTUNE_DATA=folder python benchmarks/training.py [--pairs 5] [--steps 200] [--accuracy SEEDS] [--floor]

Each measurement is a process of its own; ours and theirs take turns, so that what else the machine does hits all. The
ratio of examples per second is told as the median over pairs, with the range; each pair says how fast the processor's
matrix units were just then, since neighbours on a shared one change that threefold. ``--accuracy 3`` trains 3 epochs
on all rows with each and compares test accuracy; ``--floor`` compares a step with the bare matrix products in it.
The Trainer runs in its default form (32 bits, random batches padded to their longest) and with ``bf16=True``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

RATE, BATCH, LENGTH, WARMUP = 1e-4, 16, 256, 0.1
WARM_UP_STEPS = 10
THEIRS = ("trainer", "trainer-bf16")


def main() -> int:
    """Run what was asked for; skip with a word when the data are not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="steps per measurement")
    parser.add_argument("--accuracy", type=int, default=0, metavar="SEEDS", help="compare accuracy over so many seeds")
    parser.add_argument("--floor", action="store_true", help="where the time of a step goes")
    parser.add_argument("--child", choices=["ours", *THEIRS, "peak"], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "sst2").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with sst2/")
        return 0
    if options.child:
        print(json.dumps(child(options, data / "sst2")))
        return 0
    if options.floor:
        floor(data / "sst2")
        return 0
    if options.accuracy:
        compare_accuracy(options.accuracy)
        return 0
    compare_speed(options.pairs, options.steps)
    return 0


def measured(child: str, *arguments: object) -> dict[str, Any]:
    """What a child process found."""
    command = [sys.executable, __file__, "--child", child, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare_speed(pairs: int, steps: int) -> None:
    """Ours and both of theirs in turns, each beginning as often as the others."""
    names = ["ours", *THEIRS]
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for pair in range(pairs):
        for name in names[pair % len(names) :] + names[: pair % len(names)]:
            found = measured(name, "--rows", steps * BATCH, "--seed", pair)
            speeds[name].append(found["examples_per_second"])
        told = ", ".join(f"{name} {found[-1]:.1f} rows/s" for name, found in speeds.items())
        print(f"  {told}; the processor gives {measured('peak')['peak'] / 1e9:.0f} GFLOP/s in bfloat16", flush=True)
    for other in THEIRS:
        ratios = [ours / theirs for ours, theirs in zip(speeds["ours"], speeds[other], strict=True)]
        print(
            f"{other}: {statistics.median(ratios):.2f} × as many examples per second (median of {pairs} pairs, "
            f"{min(ratios):.2f} to {max(ratios):.2f}); {statistics.median(speeds['ours']):.1f} against "
            f"{statistics.median(speeds[other]):.1f} rows/s",
            flush=True,
        )


def compare_accuracy(seeds: int) -> None:
    """Test accuracy after 3 epochs on all rows."""
    means = {}
    for name in ("ours", "trainer"):
        found = []
        for seed in range(seeds):
            result = measured(name, "--epochs", 3, "--seed", seed)
            found.append(100 * result["accuracy"])
            print(f"  {name} seed {seed}: {found[-1]:.2f} %, {result['seconds']:.0f} s", flush=True)
        means[name] = statistics.mean(found)
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        print(f"{name}: mean {means[name]:.2f} %, standard deviation {spread:.2f}", flush=True)
    print(f"ours minus theirs: {means['ours'] - means['trainer']:+.2f} points")


def child(options: argparse.Namespace, data: Path) -> dict[str, float]:
    """Train once, and say how fast; after three epochs also how well. Or measure the processor alone."""
    if options.child == "peak":
        return {"peak": peak()}
    trained = ours if options.child == "ours" else trainer
    model, tokenizer, seconds, examples = trained(data, options)
    found = {"examples_per_second": examples / seconds, "seconds": seconds}
    if options.epochs > 1:
        found["accuracy"] = accuracy(model, tokenizer, data / "test.jsonl")
    return found


def read(path: Path) -> tuple[list[str], list[int]]:
    """Texts and labels; the labels by their order."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = sorted({row["label"] for row in rows}, key=str)
    return [row["text"] for row in rows], [names.index(row["label"]) for row in rows]


def prepared(
    data: Path,
    *,
    rows: int | None,
    seed: int,
    epochs: int,
    settings: Mapping[str, object] | None = None,
    folder: Path | None = None,
) -> tuple[Any, Any]:
    """A training as ``supertune train`` would begin it, and the tokenizer.

    With a ``folder`` the frozen layers' states are kept there.
    """
    from supertune.config import Config
    from supertune.console import Console
    from supertune.contracts import Columns
    from supertune.data import read as read_rows
    from supertune.language import LanguageGuess
    from supertune.recipes.begin import begin
    from supertune.recipes.encode import encode_splits, fitted_task
    from supertune.recipes.probe import probe
    from supertune.recipes.rows import LoadedRows
    from supertune.recipes.start import prepare_start
    from supertune.recipes.train_one import with_frozen

    texts, labels = read(data / "train.jsonl")
    chosen = np.random.default_rng(seed).permutation(len(texts))[:rows]
    table = read_rows([{"text": texts[index], "label": labels[index]} for index in chosen])
    columns = Columns(("text",), ("label",))
    loaded = LoadedRows(columns, {"train": table}, {"train": table}, {}, LanguageGuess("en", 1.0), ())
    console = Console(quiet=True)
    config = Config().with_values(
        {
            "model.name": "minilm",
            "model.max_length": LENGTH,
            "train.learning_rate": RATE,
            "train.epochs": epochs,
            "train.seed": seed,
        }
        | dict(settings or {})
    )
    start = prepare_start(config, loaded, console)
    task = fitted_task(start, loaded)
    features = encode_splits(start, task, loaded, console)
    training = begin(probe(start, task, features, console), task, features)
    if folder is not None:
        training = with_frozen(training, task, folder, BATCH, console)
    return training, start.tokenizer


def ours(data: Path, options: argparse.Namespace) -> tuple[Any, Any, float, int]:
    """The engine, without validation; the first steps are not timed."""
    from supertune.train import schedule, train

    training, tokenizer = prepared(data, rows=options.rows, seed=options.seed, epochs=options.epochs)
    rate = schedule("linear", training.steps, WARMUP)
    begun, examples = 0.0, 0
    for event in train(training.learner, training.features["train"], rate, training.plan):
        if event.event == "step":
            if event.step == WARM_UP_STEPS:
                begun, examples = time.perf_counter(), 0
            else:
                examples += event.values["items"]
    return training.finish(), tokenizer, time.perf_counter() - begun, examples


def trainer(data: Path, options: argparse.Namespace) -> tuple[Any, Any, float, int]:
    """Hugging Face's Trainer; the first steps are not timed."""
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    from supertune.models import resolve

    folder = resolve("minilm").folder
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts, labels = read(data / "train.jsonl")
    chosen = np.random.default_rng(options.seed).permutation(len(texts))[: options.rows]
    encoded = tokenizer([texts[index] for index in chosen], truncation=True, max_length=LENGTH, padding=False)
    rows = Dataset.from_dict({**encoded, "label": [labels[index] for index in chosen]})
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    clock = {"begun": 0.0}

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == WARM_UP_STEPS:
                clock["begun"] = time.perf_counter()

    with tempfile.TemporaryDirectory() as scratch:
        how = TrainingArguments(
            output_dir=scratch,
            per_device_train_batch_size=BATCH,
            num_train_epochs=options.epochs,
            learning_rate=RATE,
            weight_decay=0.01,
            warmup_steps=WARMUP,
            bf16=options.child == "trainer-bf16",
            use_cpu=True,
            seed=options.seed,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        training = Trainer(
            model=model,
            args=how,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[Watch()],
        )
        training.train()
    seconds = time.perf_counter() - clock["begun"]
    return model, tokenizer, seconds, options.epochs * len(rows) - WARM_UP_STEPS * BATCH


def accuracy(model: Any, tokenizer: Any, path: Path) -> float:
    """Share of right answers on the test rows, in 32 bits."""
    import torch

    texts, labels = read(path)
    model.train(False)
    right = 0
    with torch.inference_mode():
        for start in range(0, len(texts), 64):
            batch = tokenizer(
                texts[start : start + 64], truncation=True, max_length=LENGTH, padding=True, return_tensors="pt"
            )
            answers = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.argmax(-1)
            right += int((answers == torch.tensor(labels[start : start + 64])).sum())
    return right / len(texts)


def floor(data: Path) -> None:
    """Time of a step by kind of work, beside its bare matrix products and what the processor could do at best."""
    from torch.profiler import ProfilerActivity, profile
    from torch.utils.flop_counter import FlopCounterMode

    training = prepared(data, rows=1600, seed=0, epochs=1)[0]
    learner, features = training.learner, training.features["train"]
    batches = [collate_one(training, items) for items in training.plan.order(features, 0)[:60]]

    def step(batch: Any) -> None:
        _, count = learner.gradients([batch])
        learner.update(count, 1.0)

    for batch in batches[:10]:
        step(batch)
    with FlopCounterMode(display=False) as counter, recorder() as products:
        for batch in batches:
            step(batch)
    taken = [seconds_of(lambda batch=batch: step(batch)) for batch in batches]  # type: ignore[misc]
    bare = products.replay()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for batch in batches:
            step(batch)
    operations = counter.get_total_flops() / len(batches)
    best = peak()
    median = statistics.median(taken)
    print(f"a step takes {1000 * median:.0f} ms (median of {len(taken)})")
    print(f"its matrix products alone {1000 * bare / len(batches):.0f} ms, {operations / 1e9:.1f} GFLOP")
    print(
        f"at the processor's best ({best / 1e12:.2f} TFLOP/s in bfloat16) they would take "
        f"{1000 * operations / best:.0f} ms"
    )
    averages = sorted(profiled.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in averages)
    for row in averages[:14]:
        print(f"  {row.self_cpu_time_total / total:6.1%}  {row.key}")


def peak() -> float:
    """Operations per second of a large product in bfloat16: shared processors lend their matrix units by turns."""
    import torch

    big = [torch.ones(2048, 2048, dtype=torch.bfloat16) for _ in range(2)]
    return 2 * 2048**3 / min(seconds_of(lambda: big[0] @ big[1]) for _ in range(10))


def seconds_of(work: Any) -> float:
    """How long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def collate_one(training: Any, items: Any) -> Any:
    """A batch as the engine makes it."""
    from supertune.train import collate

    return collate(training.features["train"], items, training.plan.padding)


def recorder() -> Any:
    """Records every matrix product that is computed while it is entered, to compute them again alone."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    wanted = {torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default}

    class Recorder(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[tuple[Any, list[Any]]] = []

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function in wanted:
                self.calls.append((function, [(value.shape, value.stride(), value.dtype) for value in args]))
            return function(*args, **(kwargs or {}))

        def replay(self) -> float:
            made: dict[Any, Any] = {}
            for _, given in self.calls:
                for shape, stride, dtype in given:
                    if (shape, stride, dtype) not in made:
                        made[shape, stride, dtype] = torch.empty_strided(shape, stride, dtype=dtype).fill_(0.01)
            begun = time.perf_counter()
            with torch.no_grad():
                for function, given in self.calls:
                    function(*(made[key] for key in given))
            return time.perf_counter() - begun

    return Recorder()


if __name__ == "__main__":
    sys.exit(main())
