"""Learning to write beside TRL's SFTTrainer: Gemma-3-270M, LoRA of rank 16 on all linear layers, 200 rows of alpaca.

Usage: SUPERTUNE_DATA=folder python benchmarks/sft.py [--rounds 3] [--steps 50] [--threads N] [--precision auto]
       [--only NAME …] [--held-out ROWS] [--length TOKENS] [--out runs/sft] [--table]

The rows are ``alpaca/alpaca_en_demo.json``: the first 200 are learned, the next 100 held out; those of more than 512
tokens are left out. All sides get the same tokens, labels and first LoRA weights, batches of 4, AdamW at the same
constant rate. Each measurement is a process of its own; sides take turns. Told are tokens that are no padding per
second (the first two steps are not timed), the process's memory at its highest, the loss of the held-out rows
afterwards, and ratios by round: by the clock, and by processor time, which a busy machine disturbs less.

``ours``      as ``supertune train --task chat`` would do it, in the number type that suits the machine
``defaults``  TRL with its defaults: 32-bit weights, bfloat16 autocast, activation checkpointing, batches drawn anew
``best``      TRL as a knowing user sets it: bfloat16 weights, no autocast, nothing computed again
``plain``     the same in 32 bits
``same``      the same again, over the very batches of ``check``: their losses are compared step by step
``check``     ours in 32 bits, over the batches that ``same`` goes over

Where a processor only emulates bfloat16, ``best`` would take hours and ``defaults`` longer: they are left out unless
they are named, and ``plain`` stands in their place. OUT keeps what was measured; what is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

LEARNED, HELD_OUT, BATCH, LENGTH, RATE = 200, 100, 4, 512, 2e-4
WARM_UP_STEPS = 2
OURS, THEIRS = ("ours", "check"), ("defaults", "best", "plain", "same")
COMPARED = 30
"""Steps whose losses must agree."""


def main() -> int:
    """Measure what is missing, and print the table; skip with a word when something is not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=LEARNED // BATCH, help="optimizer steps per measurement")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto", help="of ours")
    parser.add_argument("--only", nargs="+", choices=[*OURS, *THEIRS], default=None)
    parser.add_argument("--length", type=int, default=LENGTH, help="tokens per row, at most")
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help="rows that the loss afterwards is of")
    parser.add_argument("--out", type=Path, default=Path("runs/sft"))
    parser.add_argument("--table", action="store_true", help="only print what was measured")
    parser.add_argument("--child", choices=["prepare", *OURS, *THEIRS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    source = Path(os.environ.get("SUPERTUNE_DATA", "")) / "alpaca/alpaca_en_demo.json"
    if not options.table and not source.is_file():
        print("skipped: set SUPERTUNE_DATA to the folder with alpaca/alpaca_en_demo.json")
        return 0
    if options.child:
        child(options, source)
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.table:
        measure_all(options)
    table(options.out)
    return 0


def measure_all(options: argparse.Namespace) -> None:
    """Every side in turns, each beginning as often as the others; the comparison of losses once."""
    from supertune.train import measure_precision

    if not (options.out / "prepared.json").exists():
        run_child("prepare", options)
    names = options.only
    if names is None:
        import torch

        bf16 = measure_precision(torch.device("cuda" if torch.cuda.is_available() else "cpu"))[0] == "bf16"
        names = ["ours", "defaults", "best"] if bf16 else ["ours", "plain"]
        names += ["check", "same"]
    for round_ in range(options.rounds):
        turn = round_ % len(names)
        for name in [*names[turn:], *names[:turn]]:
            place = options.out / f"{name}-{options.steps}-{round_}.json"
            if place.exists() or (name in ("check", "same") and round_):
                continue
            found = run_child(name, options)
            temporary = place.with_suffix(".part")
            temporary.write_text(json.dumps(found), encoding="utf-8")
            temporary.replace(place)
            print(
                f"  {name}: {found['tokens'] / found['seconds']:.1f} tokens/s, {found['peak_mb']:,} MB, "
                f"held-out loss {found['held_out']:.4f}",
                flush=True,
            )


def run_child(name: str, options: argparse.Namespace) -> Any:
    """What a process of its own found."""
    command = [sys.executable, __file__, "--child", name, "--out", str(options.out), "--steps", str(options.steps)]
    command += ["--precision", options.precision, "--held-out", str(options.held_out)]
    command += ["--length", str(options.length)]
    command += ["--threads", str(options.threads)] if options.threads else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(folder: Path) -> None:
    """Medians with their ranges, ratios by round, and how far losses are apart."""
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for place in sorted(folder.glob("*-*-*.json")):
        name, steps, round_ = place.stem.rsplit("-", 2)
        by_name.setdefault(name, {})[f"{steps}-{round_}"] = json.loads(place.read_text(encoding="utf-8"))
    print("| | tokens per second | memory, MB | held-out loss | ours / this | by processor time |")
    print("|---|---|---|---|---|---|")
    for name, found in by_name.items():
        speeds = {key: one["tokens"] / one["seconds"] for key, one in found.items()}
        ratios = {
            clock: [
                one["tokens"] / one[clock] / (found[key]["tokens"] / found[key][clock])
                for key, one in by_name.get("ours", {}).items()
                if key in found
            ]
            for clock in ("seconds", "worked")
        }
        peaks = [one["peak_mb"] for one in found.values()]
        losses = [one["held_out"] for one in found.values()]
        told = [spread(found, ".2f") if name not in OURS and found else "" for found in ratios.values()]
        print(f"| {name} | {spread(list(speeds.values()), '.1f')} | {spread(peaks, ',.0f')} | ", end="")
        print(f"{spread(losses, '.4f')} | {told[0]} | {told[1]} |")
    for key in sorted(set(by_name.get("check", {})) & set(by_name.get("same", {}))):
        ours_, theirs = by_name["check"][key], by_name["same"][key]
        pairs = list(zip(ours_["losses"], theirs["losses"], strict=False))[:COMPARED]
        apart = [abs(a - b) / b for a, b in pairs]
        ended, other = ours_["held_out"], theirs["held_out"]
        print(
            f"losses of {len(pairs)} steps on the same batches in 32 bits: at most {max(apart):.2%} apart; "
            f"held-out loss {ended:.4f} and {other:.4f} ({ended / other - 1:+.2%})"
        )


def spread(values: list[float], form: str) -> str:
    """The median, and from where to where."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def child(options: argparse.Namespace, source: Path) -> None:
    """Measure one side and print what was found; or write what all sides begin with."""
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    if options.child == "prepare":
        prepare_files(options, source)
        found: dict[str, Any] = {}
    elif options.child in OURS:
        found = ours(options, source)
    else:
        found = theirs(options)
    print(json.dumps(found))


def begun(options: argparse.Namespace, source: Path, precision: str) -> Any:
    """A training as ``supertune train --task chat`` would begin it, its task, and the held-out rows, encoded."""
    from supertune.config import Config
    from supertune.console import Console
    from supertune.recipes.begin import begin
    from supertune.recipes.prepare import prepare
    from supertune.recipes.probe import probe

    rows = json.loads(source.read_text(encoding="utf-8"))[: LEARNED + HELD_OUT]
    console = Console(quiet=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = {"train": rows[:LEARNED], "held": rows[LEARNED:], "test": rows[LEARNED:][:4]}
        for name, part in files.items():
            lines = "\n".join(json.dumps(row) for row in part)
            (Path(scratch) / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        values: dict[str, object] = {
            "task.name": "chat",
            "model.name": "gemma-270m",
            "model.max_length": options.length,
            "data.source": f"{scratch}/train.jsonl",
            "data.validation": f"{scratch}/held.jsonl",
            "data.test": f"{scratch}/test.jsonl",
            "strategy.rank": 16,
            "task.too_long": "drop",
            "train.batch_size": BATCH,
            "train.epochs": 1,
            "train.learning_rate": RATE,
            "train.weight_decay": 0.0,
            "train.precision": precision,
        }
        if options.threads:
            values["train.threads"] = options.threads
        prepared = prepare(Config().with_values(values), None, console)
    features = prepared.learned
    # Rows that learn something: what is left of them after cutting is the same for all.
    start = probe(prepared.start, prepared.task, {"train": features["train"]}, console)
    return begin(start, prepared.task, features), prepared.task, start.source.folder


def prepare_files(options: argparse.Namespace, source: Path) -> None:
    """What the other side begins with: tokens, labels, the order of the rows, and the first LoRA weights."""
    from safetensors.torch import save_file

    training, _, folder = begun(options, source, "fp32")
    splits = {}
    for split in ("train", "validation"):
        rows = training.features[split]
        splits[split] = [
            {
                "input_ids": rows.tokens["input_ids"][begin:end].tolist(),
                "labels": labels(rows.tokens["input_ids"][begin:end], rows.tokens["weights"][begin:end]),
            }
            for begin, end in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
        ]
    order = [items.tolist() for items in training.plan.order(training.features["train"], 0)]
    adapter = {name: value.contiguous() for name, value in training.learner.weights().items()}
    save_file(adapter, options.out / "adapter.safetensors")
    scale: Any = training.model
    configuration = scale.peft_config["default"]
    told = {
        "folder": str(folder),
        "order": order,
        "alpha": configuration.lora_alpha,
        "rank": configuration.r,
        "modules": sorted(configuration.target_modules),
        **splits,
    }
    (options.out / "prepared.json").write_text(json.dumps(told), encoding="utf-8")


def labels(ids: Any, weights: Any) -> list[int]:
    """What TRL takes: the token where it is learned, else -100."""
    found = [int(token) if weight else -100 for token, weight in zip(ids, weights, strict=True)]
    return [-100, *found[1:]]


def ours(options: argparse.Namespace, source: Path) -> dict[str, Any]:
    """The engine over the first steps of an epoch."""
    from supertune.train import predict_outputs, train

    training, task, _ = begun(options, source, "fp32" if options.child == "check" else options.precision)
    losses, tokens, since, worked = [], 0, 0.0, 0.0
    for event in train(training.learner, training.features["train"], lambda step: 1.0, training.plan):
        if event.event != "step":
            continue
        losses.append(event.values["loss"])
        print(f"    {options.child}, step {event.step}: {losses[-1]:.5f}", file=sys.stderr, flush=True)
        tokens += event.values["tokens"]
        if event.step == WARM_UP_STEPS:
            since, worked, tokens = time.perf_counter(), time.process_time(), 0
        if event.step == options.steps:
            break
    seconds, worked, peak = time.perf_counter() - since, time.process_time() - worked, peak_mb()
    rows = training.features["validation"]
    rows = rows.take(np.arange(min(options.held_out, len(rows))))
    outputs = predict_outputs(training.model, rows, task.answering, batch_size=BATCH, padding=training.plan.padding)
    shown = read_prepared(options)["validation"][: options.held_out]
    learned = sum(label != -100 for row in shown for label in row["labels"])
    return {
        "tokens": tokens,
        "seconds": seconds,
        "worked": worked,
        "peak_mb": peak,
        "losses": losses,
        "held_out": float(outputs.sum()) / learned,
    }


def read_prepared(options: argparse.Namespace) -> Any:
    """What ``prepare`` wrote."""
    return json.loads((options.out / "prepared.json").read_text(encoding="utf-8"))


def theirs(options: argparse.Namespace) -> dict[str, Any]:
    """TRL's SFTTrainer over the first steps of an epoch."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file
    from torch.utils.data import SequentialSampler
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    name, given = options.child, read_prepared(options)
    rows = given["train"]
    if name == "same":
        rows = [rows[item] for items in given["order"] for item in items]
    base = AutoModelForCausalLM.from_pretrained(
        given["folder"], dtype=torch.bfloat16 if name == "best" else torch.float32
    )
    how = LoraConfig(r=given["rank"], lora_alpha=given["alpha"], target_modules=given["modules"], task_type="CAUSAL_LM")
    model = get_peft_model(base, how)
    first = load_file(options.out / "adapter.safetensors")
    learning = {key: value for key, value in model.named_parameters() if value.requires_grad}
    assert learning.keys() == first.keys(), "another adapter"
    for key, value in learning.items():
        value.data.copy_(first[key])
    del first, learning
    clock: dict[str, Any] = {"since": 0.0, "end": 0.0, "worked": 0.0, "tokens": 0, "losses": []}

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            clock["end"], clock["done"] = time.perf_counter(), time.process_time()
            if state.global_step == WARM_UP_STEPS:
                clock["since"], clock["worked"], clock["tokens"] = clock["end"], clock["done"], 0

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            if logs and "loss" in logs:
                clock["losses"].append(float(logs["loss"]))
                print(f"    {name}, step {state.global_step}: {float(logs['loss']):.5f}", file=sys.stderr, flush=True)

    class Trainer(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *more: Any) -> Any:
            return SequentialSampler(self.train_dataset) if name == "same" else super()._get_train_sampler(*more)

        def training_step(self, model: Any, inputs: Any, *more: Any) -> Any:
            clock["tokens"] += int(inputs["attention_mask"].sum())
            return super().training_step(model, inputs, *more)

    with tempfile.TemporaryDirectory() as scratch:
        settings = SFTConfig(
            output_dir=scratch,
            per_device_train_batch_size=BATCH,
            max_steps=options.steps,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            max_length=options.length,
            use_cpu=not torch.cuda.is_available(),
            bf16=name == "defaults",
            gradient_checkpointing=name == "defaults",
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            seed=0,
        )
        trainer = Trainer(
            model=model,
            args=settings,
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(given["folder"]),
            callbacks=[Watch()],
        )
        # What the trainer prints is not what is told.
        kept, sys.stdout = sys.stdout, sys.stderr
        try:
            trainer.train()
        finally:
            sys.stdout = kept
    peak = peak_mb()
    return {
        "tokens": clock["tokens"],
        "seconds": clock["end"] - clock["since"],
        "worked": clock["done"] - clock["worked"],
        "peak_mb": peak,
        "losses": clock["losses"],
        "held_out": held_out(model, given["validation"][: options.held_out]),
    }


def held_out(model: Any, rows: Any) -> float:
    """Mean loss of the tokens to be learned in rows that were not."""
    import torch

    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for row in rows:
            ids, wanted = (torch.tensor([row[key]]) for key in ("input_ids", "labels"))
            found = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(found, wanted[0, 1:], ignore_index=-100, reduction="sum"))
            count += int((wanted[0, 1:] != -100).sum())
    return total / count


def peak_mb() -> int:
    """Memory at its highest: of the process, or of the GPU that it uses."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() / 1024**2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux kilobytes.
    return int(peak / (1024**2 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    sys.exit(main())
