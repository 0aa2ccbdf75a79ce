"""One run of the ablation: what the variants are, the rows of a seed, training and measuring, and runs kept on disk."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation_table import BASE, Result
from supertune.config import Config
from supertune.console import Console
from supertune.errors import UserError
from supertune.files import read_json, write_json

if TYPE_CHECKING:
    from supertune.contracts import Features
    from supertune.recipes.rows import LoadedRows
    from supertune.recipes.start import Start
    from supertune.recipes.train_one import Trained

MODEL = "minilm"
SETS = ("trec", "sst2")
SPLITS = ("train", "validation", "test")
ATTENTION = "train.attention"
SETTLED = ("train.threads", "train.device", "train.precision", "train.embeddings", ATTENTION)
"""What depends on the machine; the same for all runs, and no part of a variant."""
WITHOUT_EFFECT = ("train.accumulate", "train.checkpoint_every", "train.checkpoints", "train.restarts", "train.seeds")
"""What does not bear on the result of one training from one seed."""

VARIANTS: Mapping[str, Mapping[str, object]] = {
    BASE: {},
    "no bias correction": {"train.bias_correction": False},
    "no warm-up": {"train.warmup": 0.0},
    "neither of both": {"train.bias_correction": False, "train.warmup": 0.0},
    "rate 5e-5": {"train.learning_rate": 5e-5},
    "rate 2e-4": {"train.learning_rate": 2e-4},
    "rate 3e-4": {"train.learning_rate": 3e-4},
    "3 epochs": {"train.epochs": 3},
    "5 epochs": {"train.epochs": 5},
    "20 epochs": {"train.epochs": 20},
    "head rate 3": {"strategy.head_rate": 3.0},
    "head rate 10": {"strategy.head_rate": 10.0},
    "layer decay 0.9": {"strategy.layer_decay": 0.9},
    "layer decay 0.8": {"strategy.layer_decay": 0.8},
    "1 layer anew": {"strategy.reinitialise": 1},
    "2 layers anew": {"strategy.reinitialise": 2},
    "R-Drop 1": {"train.r_drop": 1.0},
    "R-Drop 4": {"train.r_drop": 4.0},
    "FGM 0.1": {"train.adversarial": "fgm", "train.adversarial_epsilon": 0.1},
    "FGM 0.3": {"train.adversarial": "fgm", "train.adversarial_epsilon": 0.3},
    "FGM 1": {"train.adversarial": "fgm", "train.adversarial_epsilon": 1.0},
    "FreeLB 0.3": {"train.adversarial": "freelb", "train.adversarial_epsilon": 0.3},
    "mixout 0.5": {"train.mixout": 0.5},
    "mixout 0.9": {"train.mixout": 0.9},
    "EMA 0.99": {"train.averaging": "ema"},
    "uniform average": {"train.averaging": "uniform"},
    "label smoothing 0.1": {"train.label_smoothing": 0.1},
    "no dropout": {"train.dropout": 0.0},
}
"""Name → what differs from the defaults."""


@dataclass(frozen=True)
class Size:
    """How much is trained on.

    Attributes:
        rows: Training rows; 0 for all that validation leaves.
        validation: Validation rows.
        epochs: Of the base; what ``auto`` stands for with so many rows.
    """

    rows: int
    validation: int
    epochs: int


def configuration(variant: str, seed: int, size: Size) -> Config:
    """The defaults, with nothing left open that decides the outcome, and what the variant changes."""
    from supertune.strategies import STRATEGIES

    values: dict[str, object] = {
        "data.text": ["text"],
        "data.label": "label",
        "model.name": MODEL,
        "train.epochs": size.epochs,
        "train.learning_rate": STRATEGIES["full"]().default_learning_rate(),
        "train.seed": seed,
        "train.checkpoint_every": 0,
    }
    return Config().with_values({**values, **VARIANTS[variant]})


def identity(variant: str, seed: int, size: Size) -> dict[str, object]:
    """What a result belongs to: it is of no use once a default, or the variant, has been changed."""
    config = configuration(variant, seed, size)
    settings = {
        f"{section}.{key}": value
        for section in ("train", "strategy")
        for key, value in getattr(config, section).model_dump().items()
    }
    settings = {key: value for key, value in settings.items() if key not in (*SETTLED, *WITHOUT_EFFECT)}
    return {"model": MODEL, "rows": size.rows, "validation_rows": size.validation, **settings}


class Results:
    """The runs that are done, in a file of one line each.

    Args:
        path: The file; a line that a killed process left half-written is cut off.
        size: Results of another size, or of other settings, are passed over.
    """

    def __init__(self, path: Path, size: Size) -> None:
        self._path, self._size = path, size
        self.found: dict[tuple[str, str, int], Result] = {}
        self.others = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            self._take(json.loads(line))

    def _take(self, stored: dict[str, Any]) -> None:
        result, kept = Result(**stored["result"]), stored["settings"]
        if result.variant in VARIANTS:
            now = identity(result.variant, result.seed, self._size)
            # A setting that did not exist then is off by default.
            if all(now[key] == value for key, value in kept.items() if key in now):
                self.found[result.variant, result.data, result.seed] = result
                return
        self.others += 1

    def add(self, result: Result) -> None:
        """Keep a run, on the disk first."""
        settings = identity(result.variant, result.seed, self._size)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"result": asdict(result), "settings": settings}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.found[result.variant, result.data, result.seed] = result

    def all(self) -> list[Result]:
        """Every run, ordered by seed."""
        return sorted(self.found.values(), key=lambda result: result.seed)


@dataclass(frozen=True)
class Drawn:
    """The rows of one seed, encoded.

    Attributes:
        rows: Training, validation and test rows.
        start: The base's; variants share its tokenizer.
        features: Split → encoded rows.
    """

    rows: LoadedRows
    start: Start
    features: Mapping[str, Features]


@dataclass
class Bench:
    """Trains what is missing.

    Attributes:
        data: Folder of the data sets.
        out: Folder of the results.
        size: How much is trained on.
        threads: Of the processor; None for all cores.
        console: Where warnings go.
    """

    data: Path
    out: Path
    size: Size
    threads: int | None = None
    console: Console = field(default_factory=lambda: Console(quiet=True))

    def __post_init__(self) -> None:
        # Variants of one seed share its rows; two sets are in turn.
        self.drawn = lru_cache(maxsize=len(SETS))(self._drawn)

    def _drawn(self, name: str, seed: int) -> Drawn:
        from datasets import Dataset, DatasetDict

        from supertune.recipes.encode import encode_splits, fitted_task
        from supertune.recipes.rows import load_rows
        from supertune.recipes.start import prepare_start

        splits = draw(self.data / name, seed, self.size)
        tables = DatasetDict({split: Dataset.from_list(rows) for split, rows in splits.items()})
        config = configuration(BASE, seed, self.size).with_values(self._measured(name))
        loaded = load_rows(config, tables, self.console)
        start = prepare_start(config, loaded, self.console)
        return Drawn(loaded, start, encode_splits(start, fitted_task(start, loaded), loaded, self.console))

    def _known(self) -> dict[str, dict[str, object]]:
        path = self.out / "settled.json"
        return dict(read_json(path)) if path.exists() else {}

    def _measured(self, name: str) -> Mapping[str, object]:
        """What is known of this machine; of another set all but attention, which depends on the texts' length."""
        known = self._known()
        if name in known:
            return known[name]
        others = next(iter(known.values()), {"train.threads": self.threads})
        return {key: value for key, value in others.items() if key != ATTENTION}

    def settled(self, name: str, drawn: Drawn) -> Mapping[str, object]:
        """What suits this machine, as measured on the first rows that were drawn of the set."""
        from supertune.recipes.encode import fitted_task
        from supertune.recipes.probe import probe

        known = self._known()
        if name not in known:
            start = probe(drawn.start, fitted_task(drawn.start, drawn.rows), drawn.features, self.console)
            train = start.config.train.model_dump()
            known[name] = {key: train[key.partition(".")[2]] for key in SETTLED}
            write_json(self.out / "settled.json", known)
        return known[name]

    def run(self, variant: str, name: str, seed: int) -> Result:
        """Train and measure, as `supertune train` would, but without beginning again where nothing was learned."""
        from supertune.evaluate import estimate
        from supertune.recipes.encode import fitted_task
        from supertune.recipes.start import settle
        from supertune.recipes.train_one import train_one
        from supertune.train import predict_outputs

        drawn = self.drawn(name, seed)
        config = configuration(variant, seed, self.size).with_values(self.settled(name, drawn))
        base = drawn.start
        start = settle(config, drawn.rows, base.source, base.tokenizer, base.max_length, self.console)
        task = fitted_task(start, drawn.rows)
        learned = {split: drawn.features[split] for split in ("train", "validation")}
        # A folder of a fixed name, so that what a killed process left there does not stay.
        scratch = self.out / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        wall, processor = time.monotonic(), time.process_time()
        try:
            trained: Trained | None = train_one(
                start, task, learned, checkpoints=scratch, record=lambda _: None, console=self.console
            )
        except UserError as error:
            if not isinstance(error.__cause__, FloatingPointError):
                raise
            print(f"  {error}", file=sys.stderr)
            trained = None
        shutil.rmtree(scratch)
        taken = round(time.monotonic() - wall, 2), round(time.process_time() - processor, 2)
        if trained is None:
            return Result(variant, name, seed, {}, 0, *taken, degenerate=False)
        padding = {"input_ids": int(start.tokenizer.pad_token_id or 0)}
        batch_size = start.config.evaluate.batch_size
        test = drawn.features["test"]
        outputs = predict_outputs(trained.model, test, task.forward, batch_size=batch_size, padding=padding)
        outcome = task.outcome(outputs, test)
        scores = {metric: estimate(outcome, metric) for metric in ("accuracy", "f1_macro", "log_loss")}
        return Result(variant, name, seed, scores, trained.best_epoch, *taken, trained.degenerate)


def draw(folder: Path, seed: int, size: Size) -> dict[str, list[dict[str, str]]]:
    """The rows of a seed: ``train`` and ``validation`` stratified and apart from each other, ``test`` whole.

    Of equal texts one is drawn at most, and none that stands in the test file.
    """
    from sklearn.model_selection import train_test_split

    test = read(folder / "test.jsonl")
    known = {row["text"] for row in test}
    pool = list({row["text"]: row for row in read(folder / "train.jsonl") if row["text"] not in known}.values())
    train, validation = train_test_split(
        pool,
        train_size=size.rows or len(pool) - size.validation,
        test_size=size.validation,
        random_state=seed,
        stratify=[row["label"] for row in pool],
    )
    return {"train": train, "validation": validation, "test": test}


@lru_cache
def read(path: Path) -> list[dict[str, str]]:
    """Text and label of every row."""
    # Not `str.splitlines`: texts may hold characters that it takes for the end of a line.
    with path.open(encoding="utf-8") as stream:
        return [{"text": row["text"], "label": row["label"]} for row in map(json.loads, stream)]
