"""Train with one seed or several, and begin again where a run comes to nothing."""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from supertune.console import Console
from supertune.contracts import Event, Features, Task
from supertune.recipes.kinds import judged_by
from supertune.recipes.start import Start
from supertune.recipes.train_one import Trained, train_one

RESTART_STRIDE = 1_000_003
"""Added to the seed at a restart: far from the seeds that ``train.seeds`` counts through."""


@dataclass(frozen=True)
class SeedResult:
    """What one seed came to.

    Attributes:
        seed: The seed that the kept attempt was trained with.
        score: Best validation score.
        epoch: Its epoch.
        restarts: Degenerate attempts before it.
        degenerate: Whether the last attempt came to nothing as well.
    """

    seed: int
    score: float
    epoch: int
    restarts: int
    degenerate: bool


@dataclass(frozen=True)
class TrainedSeeds:
    """All seeds, and the model of the best.

    Attributes:
        best: The model with the best validation score, and how it came about.
        results: Every seed, in order.
        examples_seen: Training rows gone through by all of them.
    """

    best: Trained
    results: tuple[SeedResult, ...]
    examples_seen: int

    def as_dict(self) -> dict[str, object]:
        """For the manifest: every seed, and mean and spread of the validation scores."""
        scores = [result.score for result in self.results if math.isfinite(result.score)]
        return {
            "metric": self.best.metric,
            "seeds": [asdict(result) for result in self.results],
            "mean": statistics.mean(scores) if scores else None,
            "standard_deviation": statistics.stdev(scores) if len(scores) > 1 else None,
        }


def train_seeds(
    start: Start,
    task: Task,
    features: Mapping[str, Features],
    *,
    checkpoints: Path,
    record: Callable[[Event], None],
    console: Console,
) -> TrainedSeeds:
    """Train ``train.seeds`` times, from seed ``train.seed`` on; the best by validation is kept.

    Raises:
        UserError: As `train_one`.
    """
    settings = start.config.train
    best: Trained | None = None
    results: list[SeedResult] = []
    seen = 0
    for seed in range(settings.seed, settings.seed + settings.seeds):
        if settings.seeds > 1:
            console.say(f"  seed {seed}")
        folder = checkpoints / f"seed-{seed}" if settings.seeds > 1 else checkpoints
        trained, result = _steadily(start, seed, task, features, folder, record, console)
        results.append(result)
        seen += trained.examples_seen
        if best is None or _better(trained, best, task):
            best = trained
        del trained
        # Models and what hangs on them hold each other, and would pile up from seed to seed.
        gc.collect()
    assert best is not None
    if len(results) > 1:
        _say_spread(results, best.metric, console)
    return TrainedSeeds(best, tuple(results), seen)


def _steadily(
    start: Start,
    seed: int,
    task: Task,
    features: Mapping[str, Features],
    folder: Path,
    record: Callable[[Event], None],
    console: Console,
) -> tuple[Trained, SeedResult]:
    """Train, and again with another seed while the outcome is degenerate (Mosbach et al. 2021 see it on small data)."""
    most = start.config.train.restarts
    for restarts in range(most + 1):
        present = (seed + restarts * RESTART_STRIDE) % 2**32
        place = folder if restarts == 0 else folder / f"restart-{restarts}"
        again = replace(start, config=start.config.with_values({"train.seed": present}))
        trained = train_one(again, task, features, checkpoints=place, record=record, console=console)
        if not trained.degenerate or restarts == most:
            break
        following = (seed + (restarts + 1) * RESTART_STRIDE) % 2**32
        console.warn(
            f"the model gives every row the same answer and has learned nothing with seed {present}: "
            f"training begins again with seed {following}"
        )
        record(Event("restart", trained.steps, {"from_seed": present, "to_seed": following}))
    if trained.degenerate:
        console.warn(
            f"the model still gives every row the same answer after {restarts} restarts: look at the labels, "
            "and try a smaller rate or more epochs"
        )
    return trained, SeedResult(present, trained.best_score, trained.best_epoch, restarts, trained.degenerate)


def _better(one: Trained, other: Trained, task: Task) -> bool:
    sign = 1 if judged_by(task)[one.metric].higher_is_better else -1
    return sign * one.best_score > sign * other.best_score


def _say_spread(results: list[SeedResult], metric: str, console: Console) -> None:
    scores = [result.score for result in results if math.isfinite(result.score)]
    if len(scores) < 2:
        console.warn(f"{len(results)} seeds without validation rows to choose by: the model of the first is kept")
        return
    console.say(
        f"  {len(scores)} seeds: validation {metric} {statistics.mean(scores):.3f} on average, standard deviation "
        f"{statistics.stdev(scores):.3f}, from {min(scores):.3f} to {max(scores):.3f}"
    )
