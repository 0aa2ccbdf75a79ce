"""Tiny checkpoints, and some that supertune would not write."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from supertune.files import sha256_bytes
from supertune.train.checkpoints.folder import write_checkpoint
from supertune.train.checkpoints.marker import MARKER, STATE, TENSORS, Marker
from supertune.train.checkpoints.state import TrainingState

FILES = (TENSORS, STATE, MARKER)


def state(step: int = 0) -> TrainingState:
    return TrainingState({"a": torch.arange(5.0) + step, "b": torch.tensor(step)}, {"step": step, "好": [1, None]})


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def write(folder: Path, *steps: int) -> list[Path]:
    return [write_checkpoint(folder, step, state(step)) for step in steps]


EMPTY = (2).to_bytes(8, "little") + b"{}"


def forge(folder: Path, *, tensors: bytes = EMPTY, values: bytes = b"{}") -> Path:
    """A checkpoint whose marker fits, with contents that supertune would not write."""
    folder.mkdir(parents=True)
    (folder / TENSORS).write_bytes(tensors)
    (folder / STATE).write_bytes(values)
    files = {TENSORS: (len(tensors), sha256_bytes(tensors)), STATE: (len(values), sha256_bytes(values))}
    (folder / MARKER).write_bytes(Marker(0, files).text())
    return folder


def mark(folder: Path, **changes: object) -> None:
    """Change the marker's content, and its fingerprint with it."""
    content = json.loads((folder / MARKER).read_text())
    del content["sha256"]
    content |= changes
    fingerprint = sha256_bytes(json.dumps(content, sort_keys=True).encode())
    (folder / MARKER).write_text(json.dumps({**content, "sha256": fingerprint}))
