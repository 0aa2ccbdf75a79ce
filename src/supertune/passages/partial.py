"""An index that is being made: vectors block by block, so that whoever stops it loses one block at most."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.errors import UserError
from supertune.files import explained, read_json, write_json
from supertune.passages.vectors import Vector32, damaged, new_array, open_array

_ABOUT, _PROGRESS, _VECTORS, _SPANS = "about.json", "progress.json", "vectors.npy", "spans.npy"


@dataclass(frozen=True)
class Partial:
    """The folder beside an index in which its vectors come together.

    Attributes:
        folder: Where it is.
        vectors: float32 (passages, width), mapped from the disk.
        spans: int64 (passages, 3): position of the row, first character, behind the last.
        notes: What was counted when the passages were made.
    """

    folder: Path
    vectors: Any
    spans: IntArray
    notes: Mapping[str, int]

    @property
    def done(self) -> int:
        """How many passages have their vectors on the disk."""
        done = read_json(self.folder / _PROGRESS)
        if not isinstance(done, int) or not 0 <= done <= len(self.spans):
            raise damaged(self.folder / _PROGRESS)
        return done

    def add(self, vectors: Vector32) -> int:
        """Write the vectors of the next passages, and only then that they are there; returns how many are."""
        start = self.done
        stop = start + len(vectors)
        with explained(self.folder):
            self.vectors[start:stop] = vectors
            self.vectors.flush()
        write_json(self.folder / _PROGRESS, stop)
        return stop


def place_of(out: Path) -> Path:
    """Where an index that is to be ``out`` comes together."""
    return out.with_name(f".{out.name}.begun")


@contextlib.contextmanager
def sole_maker(out: Path) -> Iterator[None]:
    """Hold the place of an index while the block lasts, so that two processes do not make the same one.

    Raises:
        UserError: Another process makes it, or the place is not writable.
    """
    folder = place_of(out)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError("another process is making this index", where=str(out), fix="wait for it") from error
        except OSError:
            # The file system knows no locks.
            pass
        yield
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            # Nothing was begun.
            folder.rmdir()


def begun(out: Path, fingerprint: Mapping[str, object]) -> Partial | None:
    """What an earlier call began; None where there is nothing to go on with.

    Raises:
        UserError: It was another index, or its files are damaged.
    """
    folder = place_of(out)
    if not (folder / _ABOUT).exists():
        return None
    about = read_json(folder / _ABOUT)
    if not isinstance(about, dict) or "fingerprint" not in about:
        raise damaged(folder / _ABOUT)
    if about["fingerprint"] != dict(fingerprint):
        known = about["fingerprint"]
        other = [name for name, value in fingerprint.items() if known.get(name) != value]
        raise UserError(
            f"an index with other {' and '.join(other)} was begun here and not finished",
            where=str(out),
            fix=f"repeat that command to finish it, choose another --out, or remove {folder}",
        )
    try:
        passages, width, notes = int(about["passages"]), int(about["width"]), dict(about["notes"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder / _ABOUT) from error
    spans = np.asarray(open_array(folder / _SPANS, (passages, 3), "int64"))
    open_array(folder / _VECTORS, (passages, width), "float32")
    return Partial(folder, np.load(folder / _VECTORS, mmap_mode="r+"), spans, notes)


def begin(
    out: Path, fingerprint: Mapping[str, object], spans: NDArray[np.int64], width: int, notes: Mapping[str, int]
) -> Partial:
    """Make the files of an index of which nothing is done."""
    folder = place_of(out)
    with explained(folder):
        vectors = new_array(folder / _VECTORS, np.float32, (len(spans), width))
        vectors.flush()
        np.save(folder / _SPANS, spans)
    write_json(folder / _PROGRESS, 0)
    # Last: where this file is, the others are whole.
    about = {"fingerprint": dict(fingerprint), "passages": len(spans), "width": width, "notes": dict(notes)}
    write_json(folder / _ABOUT, about)
    return Partial(folder, vectors, spans, notes)
