"""Checkpoint folders: whole or not there, verified before they are used, and the last good one is never removed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from supertune.errors import UserError
from supertune.files import atomic_folder, remove_folder
from supertune.train.checkpoints.faults import fault
from supertune.train.checkpoints.marker import (
    MARKER,
    STATE,
    TENSORS,
    Marker,
    NewerFormatError,
    check_contents,
    check_sizes,
    damaged,
    read_marker,
    read_object,
    readable,
)
from supertune.train.checkpoints.snapshot import HostMemory, Snapshot
from supertune.train.checkpoints.state import TrainingState

if TYPE_CHECKING:
    import torch

_NAME = re.compile(r"step-(\d{8,18})(?:-(\d{1,9}))?")
_CHUNK = 4 * 2**20


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found whole.

    Attributes:
        path: Its folder.
        step: Optimizer steps taken when it was saved.
        state: What it holds; tensors on the CPU.
    """

    path: Path
    step: int
    state: TrainingState


def write_checkpoint(folder: Path, step: int, state: TrainingState) -> Path:
    """Write ``state`` as a new checkpoint in ``folder`` and return its path, once it would survive a power cut.

    Raises:
        UserError: The disk is full, or the place is not writable; nothing of it is left then.
        OSError: The disk fails.
    """
    return write_snapshot(folder, step, HostMemory().snapshot(state))


def write_snapshot(folder: Path, step: int, snapshot: Snapshot) -> Path:
    """`write_checkpoint` for what is in host memory already; may run in a thread of its own."""
    path = _new_path(folder, step)
    fault("checkpoint:before-tensors")
    with atomic_folder(path) as partial:
        tensors = _write(partial / TENSORS, (snapshot.header, snapshot.body), halfway="checkpoint:mid-tensors")
        fault("checkpoint:after-tensors")
        values = _write(partial / STATE, (snapshot.values,))
        fault("checkpoint:before-marker")
        _write(partial / MARKER, (Marker(step, {TENSORS: tensors, STATE: values}).text(),))
        fault("checkpoint:before-rename")
    fault("checkpoint:after-rename")
    return path


def _new_path(folder: Path, step: int) -> Path:
    """A name that is free: a checkpoint is never replaced, since there would be a moment without any."""
    path = folder / f"step-{step:08}"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"step-{step:08}-{number}"
    return path


def _write(path: Path, parts: Sequence[bytes | memoryview], *, halfway: str | None = None) -> tuple[int, str]:
    """Write ``parts`` one after the other; returns size and SHA-256, computed on the way."""
    digest = hashlib.sha256()
    size, total = 0, sum(len(part) for part in parts)
    most = min(_CHUNK, total // 2 + 1)
    with path.open("wb") as stream:
        for part in parts:
            for start in range(0, len(part), most):
                # Hashing and writing release the interpreter's lock, so that training goes on meanwhile.
                chunk = part[start : start + most]
                digest.update(chunk)
                stream.write(chunk)
                if halfway and size < total / 2 <= size + len(chunk):
                    stream.flush()
                    fault(halfway)
                size += len(chunk)
    return size, digest.hexdigest()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is parsed before its size and SHA-256 are known to be right.

    Raises:
        UserError: A file is missing, was cut short or changed, or the format is newer (`NewerFormatError`); names
            the file.
    """
    marker = read_marker(path)
    check_contents(path, marker)
    values = read_object(path / STATE)
    return Checkpoint(path, marker.step, TrainingState(_read_tensors(path / TENSORS), values))


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with readable(path):
            # Read, not mapped: the file may be removed while its tensors are in use.
            return load_file(path, backend="pread")
    except SafetensorError as error:
        raise damaged(path, f"is not a safetensors file ({error})") from error


def list_checkpoints(folder: Path) -> list[Path]:
    """Everything in ``folder`` that is called like a checkpoint, whole or not, newest first; none if it is missing.

    Raises:
        UserError: The folder cannot be read.
    """
    with readable(folder):
        entries = list(folder.iterdir()) if folder.exists() else []
    return sorted((entry for entry in entries if _NAME.fullmatch(entry.name)), key=_age, reverse=True)


def _age(path: Path) -> tuple[int, int]:
    found = _NAME.fullmatch(path.name)
    assert found
    return int(found[1]), int(found[2] or 1)


def newest_good(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and a sentence for each newer one that is not.

    Raises:
        NewerFormatError: A newer supertune wrote the newest: an older one in its place would lose what it holds.
        UserError: The folder cannot be read.
    """
    problems: list[str] = []
    for path in list_checkpoints(folder):
        try:
            return read_checkpoint(path), problems
        except NewerFormatError:
            raise
        except UserError as error:
            file = Path(error.where).relative_to(folder) if error.where else path.name
            problems.append(f"{file}: {error.what}")
    return None, problems


def keep_last(folder: Path, count: int, *, sure: Path | None = None) -> list[Path]:
    """Remove all checkpoints but the ``count`` newest that look whole; returns what was removed.

    Whether one looks whole is told by its marker and the sizes of its files. One that does not is not counted, and is
    removed with the old ones; but nothing is removed unless one is kept.

    Args:
        folder: Where they are.
        count: How many to keep, at least 1.
        sure: One that has just been written: it is kept and counted first, even if another is of a later step.

    Raises:
        ValueError: ``count`` is less than 1.
        UserError: The folder cannot be read.
        OSError: One cannot be removed.
    """
    if count < 1:
        raise ValueError(f"{count} checkpoints cannot be kept")
    found = list_checkpoints(folder)
    if sure is not None:
        found = [sure, *(path for path in found if path != sure)]
    kept: list[Path] = []
    for path in found:
        if len(kept) < count and (path == sure or _looks_whole(path)):
            kept.append(path)
    removed = [path for path in found if path not in kept] if kept else []
    fault("checkpoint:before-prune")
    for path in removed:
        remove_folder(path)
    return removed


def _looks_whole(path: Path) -> bool:
    try:
        check_sizes(path, read_marker(path))
    except NewerFormatError:
        return True
    except UserError:
        return False
    return True
