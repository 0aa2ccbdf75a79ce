"""What training would do, and what it would cost, without doing it."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from supertune.config import WRITING, Config, dump_config
from supertune.console import Console
from supertune.contracts import Features, Finding, IntArray, ReadsLabels, Task
from supertune.recipes.begin import Training, begin
from supertune.recipes.check import GateReport, check_allowed, check_metric
from supertune.recipes.kinds import kind_of
from supertune.recipes.prepare import prepare
from supertune.recipes.probe import padded_tokens, probe
from supertune.recipes.settings import check_strategy, check_task
from supertune.recipes.start import Start
from supertune.recipes.teacher import unasked
from supertune.train import Position, train

_PROBED_BATCHES = 6


@dataclass(frozen=True)
class Cost:
    """Expected cost of training, from steps really taken on this machine.

    Attributes:
        steps: Optimizer steps of the whole training.
        seconds: Expected time for them, validation included, and for asking a teacher that there is.
        low: The same if every step were as quick as the quickest of those taken, per token.
        high: As slow as the slowest.
        peak_mb: Memory of this process at its highest, the longest batch included, in MB.
    """

    steps: int
    seconds: float
    low: float
    high: float
    peak_mb: int


@dataclass(frozen=True)
class DryRun:
    """What ``train --dry-run`` says.

    Attributes:
        config: The configuration with nothing left open.
        splits: Split → number of rows.
        report: What the gate found.
        stopping: The findings for which training would stop.
        cost: Expected time and memory; None when training would stop.
        language: Main language of the training texts.
        why: Why this strategy, where the choice was left to supertune; else empty.
    """

    config: Config
    splits: Mapping[str, int]
    report: GateReport
    stopping: tuple[Finding, ...]
    cost: Cost | None
    language: str
    why: str = ""

    def as_dict(self) -> dict[str, object]:
        """The shape of ``train --dry-run --json``."""
        cost = self.cost
        return {
            "status": "would stop" if self.stopping else "would train",
            "columns": {"text": self.config.data.text, "label": self.config.data.label},
            "splits": dict(self.splits),
            "gate": self.report.as_dict(),
            "stopping": [finding.check for finding in self.stopping],
            "expected": None
            if cost is None
            else {
                "steps": cost.steps,
                "seconds": cost.seconds,
                "seconds_low": cost.low,
                "seconds_high": cost.high,
                "peak_mb": cost.peak_mb,
            },
            "language": self.language,
            "why": self.why,
            "config": self.config.model_dump(),
        }


def dry_run(config: Config, data: object = None, *, console: Console) -> DryRun:
    """Read, check and encode everything, take a few steps on throw-away weights, and say what the rest would cost.

    Raises:
        UserError: As training would.
    """
    check_allowed(config.data.allow)
    check_metric(config.evaluate.metric, config.task.name)
    check_task(config)
    kind_of(config.task.name).check(config.train)
    check_strategy(config)
    prepared = prepare(config, data, console)
    start, rows, report, stopping = prepared.start, prepared.rows, prepared.report, prepared.stopping
    sizes = {split: len(table) for split, table in rows.splits.items()}
    console.heading("Expected")
    if stopping:
        console.say(f"  training would stop at the gate: {', '.join(finding.check for finding in stopping)}")
        return DryRun(start.config, sizes, report, stopping, None, rows.language.language, start.why)
    learned, asking = unasked(start, prepared.task, prepared.features["train"], prepared.learned)
    start = probe(start, prepared.task, learned, console)
    cost = measure_cost(start, prepared.task, learned["train"], sum(sizes.values()))
    cost = replace(cost, seconds=cost.seconds + asking, low=cost.low + asking, high=cost.high + asking)
    console.say(
        f"  {cost.steps:,} steps in about {cost.seconds / 60:.1f} minutes "
        f"({cost.low / 60:.1f} to {cost.high / 60:.1f}), at most {cost.peak_mb:,} MB of memory"
    )
    if beside := _written_beside(start.config, sizes):
        console.say(f"  {beside}")
    console.say("\n" + dump_config(start.config))
    return DryRun(start.config, sizes, report, (), cost, rows.language.language, start.why)


def _written_beside(config: Config, sizes: Mapping[str, int]) -> str:
    """What the time does not hold: writing takes as long as it takes, and a model that cannot stop takes longest."""
    rows = min(config.evaluate.generate, sizes.get("test") or sizes.get("validation", 0))
    if config.task.name not in WRITING or config.task.name == "text" or not rows:
        return ""
    writers = "three times: by the model, and by the one before training without and with examples"
    return (
        f"measuring comes on top: {rows:,} answers of at most {config.task.max_new_tokens:,} tokens are written "
        f"{writers if config.evaluate.baselines else 'once'} (fewer: --set evaluate.generate=N)"
    )


def measure_cost(start: Start, task: Task, features: Features, rows: int) -> Cost:
    """Time a few steps, the longest batch among them, and scale to all tokens of all epochs.

    Layers that do not learn are timed apart, and counted once. Validation and the final scoring pass over the held-out
    rows are counted as a third of training on as many. A strategy that learns nothing takes no steps.
    """
    if isinstance(start.strategy, ReadsLabels):
        return Cost(0, 0.0, 0.0, 0.0, _peak_mb())
    training = begin(start, task, {"train": features})
    features, plan = training.features["train"], training.plan
    order = plan.order(features, 0)
    lengths = features.lengths
    costs = np.array([int(lengths[items].sum()) if plan.packed else padded_tokens(features, items) for items in order])
    chosen = [int(costs.argmax()), *np.linspace(0, len(order) - 1, _PROBED_BATCHES).astype(int).tolist()]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        batches, once = _recalled(training, task, [order[index] for index in chosen], Path(folder))
        per_token = []
        for index, batch in zip(chosen, batches, strict=True):
            begun = time.perf_counter()
            # At the end, where everything has joined that joins later.
            list(train(training.learner, batch, lambda step: 0.0, plan.once(), Position(step=training.steps)))
            per_token.append((time.perf_counter() - begun) / costs[index])
        del batches
    # The first step also allocates and compiles; it is there for its memory.
    timed = np.array(per_token[1:])
    held_out = 1 + (rows / len(np.unique(features.rows)) - 1) / 3
    tokens = float(costs.sum()) * held_out
    return Cost(
        steps=training.steps,
        seconds=(float(np.median(timed)) * plan.epochs + once) * tokens,
        low=(float(timed.min()) * plan.epochs + once) * tokens,
        high=(float(timed.max()) * plan.epochs + once) * tokens,
        peak_mb=_peak_mb(),
    )


def _recalled(training: Training, task: Task, batches: list[IntArray], folder: Path) -> tuple[list[Features], float]:
    """The batches as training will see them, and seconds per token for what is computed once and kept."""
    features = training.features["train"]
    some = features.take(np.concatenate(batches))
    once = 0.0
    if training.frozen is not None:
        begun = time.perf_counter()
        kept = training.frozen.remember(
            training.model, some, task.forward, folder=folder, rows=len(batches[0]), padding=training.plan.padding
        )
        if not isinstance(kept, str):
            some, once = kept, (time.perf_counter() - begun) / int(some.lengths.sum())
    ends = np.cumsum([len(items) for items in batches])
    return [some.take(np.arange(end - len(items), end)) for items, end in zip(batches, ends, strict=True)], once


def _peak_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux kilobytes.
    return int(peak / (1024**2 if sys.platform == "darwin" else 1024))
