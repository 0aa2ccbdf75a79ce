"""Runs of seconds that are killed and gone on with: their data and model, how they are killed, and what must hold."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.train import newest_good
from tiny_models import write_tiny_encoder
from warm_processes import Done, Process, WarmProcesses

EVERY = 5
"""Steps between checkpoints."""

POINTS = tuple(
    f"checkpoint:{point}"
    for point in (
        *("before-tensors", "mid-tensors", "after-tensors", "before-marker"),
        *("before-rename", "after-rename", "before-prune"),
    )
)
"""Where saving can be killed."""

# The fourth of five epochs is the best, in both number types.
SETTINGS = (
    *("train.epochs=5", "train.learning_rate=1e-2", "train.schedule=constant", "train.warmup=0", "train.threads=1"),
    f"train.checkpoint_every={EVERY}",
    *("evaluate.resamples=1000", "evaluate.baselines=false"),
)
FP32 = (*SETTINGS, "train.precision=fp32")
BF16 = (*SETTINGS, "train.precision=bf16", "train.attention=matmul")
"""Attention is named, since two runs that measure may choose differently."""

_LABELS = {"praise": ("good", "very"), "blame": ("bad", "not"), "wait": ("late", "parcel")}
_OTHERS = ("the", "a", "film", "is", "was", "here", "and", "i", "my", "好", "坏")


def write_rows(path: Path, count: int = 240, seed: int = 0) -> Path:
    """Texts of 3 to 10 words with three labels that two words each tell; the last four in a hundred are wrong."""
    source = random.Random(seed)
    rows: dict[str, str] = {}
    while len(rows) < count:
        label = source.choice(list(_LABELS))
        words = [*source.choices(_OTHERS, k=source.randint(2, 9)), source.choice(_LABELS[label])]
        source.shuffle(words)
        rows.setdefault(" ".join(words), label if len(rows) < 0.96 * count else source.choice(list(_LABELS)))
    lines = ["text,label", *(f"{text},{label}" for text, label in rows.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Workshop:
    """A folder with data and model, and what starts processes.

    Attributes:
        folder: Holds ``rows.csv`` and ``tiny``; runs go there too.
        processes: Starts commands.
        settings: Configuration keys of every run.
    """

    folder: Path
    processes: WarmProcesses
    settings: tuple[str, ...] = FP32

    @staticmethod
    def make(folder: Path, processes: WarmProcesses, settings: Sequence[str] = FP32) -> Workshop:
        """Write data and model into ``folder``."""
        write_rows(folder / "rows.csv")
        write_tiny_encoder(folder / "tiny")
        return Workshop(folder, processes, tuple(settings))

    def train(self, out: Path, *more: str, fault: str = "") -> Process:
        """Begin ``supertune train``."""
        settings = [part for setting in (*self.settings, *more) for part in ("--set", setting)]
        command = ("train", "rows.csv", "--model", "tiny", *settings, "--out", str(out))
        return self.processes.start(*command, cwd=self.folder, environment={"SUPERTUNE_FAULT": fault})

    def resume(self, run: Path, *arguments: str, cwd: Path | None = None, fault: str = "") -> Process:
        """Begin ``supertune resume``."""
        environment = {"SUPERTUNE_FAULT": fault}
        return self.processes.start("resume", str(run), *arguments, cwd=cwd or self.folder, environment=environment)

    def finish(self, run: Path, *arguments: str, cwd: Path | None = None) -> Done:
        """``supertune resume``, which must end well."""
        done = self.resume(run, *arguments, cwd=cwd).wait()
        assert done.code == 0, done.said
        return done


def events(run: Path, *names: str) -> list[dict[str, Any]]:
    """The whole lines of events.jsonl, those with the given names if there are any."""
    path = run / "events.jsonl"
    whole = path.read_bytes().rpartition(b"\n")[0].decode() if path.exists() else ""
    rows = [json.loads(line) for line in whole.splitlines()]
    return [row for row in rows if not names or row["event"] in names]


def last_step(run: Path) -> int:
    """The step that was taken last; 0 before the first."""
    return next((int(row["step"]) for row in reversed(events(run, "step"))), 0)


def saved_step(checkpoints: Path) -> int | None:
    """The step of the newest whole checkpoint."""
    newest, _ = newest_good(checkpoints)
    return newest.step if newest else None


def saved_steps(run: Path) -> list[int]:
    """The step of the newest whole checkpoint of each training: with several seeds or restarts there are several."""
    folders = {path.parent for path in (run / "checkpoints").rglob("step-*")}
    return [step for folder in sorted(folders) if (step := saved_step(folder)) is not None]


def wait_for_step(run: Path, step: int, process: Process, seconds: float = 200) -> None:
    """Wait until the log has come to a step."""
    deadline = time.monotonic() + seconds
    while last_step(run) < step:
        assert time.monotonic() < deadline, f"no step {step} in {seconds} s"
        assert not process.ends_within(0.01), process.wait().said


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def result(run: Path) -> dict[str, str]:
    """SHA-256 of what a run came to: weights, scores and answers."""
    names = ("model/model.safetensors", "metrics.json", "predictions/validation.jsonl", "predictions/test.jsonl")
    return {name: digest(run / name) for name in names}
