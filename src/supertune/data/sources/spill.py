"""Tables too large for memory: Arrow files in the cache folder, named by the fingerprint of what they came from.

A spill is a folder ``<key>`` with ``rows.arrow``, ``about.json`` and, where rows were skipped, ``row_ids.npy``.
It appears whole or not at all. The key covers the source's path, size and times, the reading options and the
version of the reading code, so a second read of an unchanged source finds it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from supertune.contracts import IntArray
from supertune.data.storage import FileStorage
from supertune.data.table import BadRow, Origin, Step, Table
from supertune.errors import UserError
from supertune.files import cache_folder, sha256_bytes, write_json

SPILL_BYTES = 64 * 1024**2
"""Tables that take more than this are kept in a file."""

CACHE_BYTES = 20 * 1024**3
"""The spills together are kept below this."""

READER_VERSION = 1
"""Counts up when the same file would be read differently; old spills are then not used again."""

_STALE_SECONDS = 24 * 3600


def spills_folder() -> Path:
    """The folder that holds all spills."""
    return cache_folder() / "tables"


def key_of_files(paths: list[Path], options: Mapping[str, object]) -> str:
    """The name of the spill of these files read with these options."""
    stamps = []
    for path in paths:
        status = path.stat()
        stamps.append([str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns])
    return key_of({"files": stamps, "options": dict(options)})


def key_of(description: object) -> str:
    """The name of the spill of anything that JSON describes."""
    return sha256_bytes(json.dumps([READER_VERSION, description], ensure_ascii=False).encode())[:40]


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn a failure to write the spill into an error that says how to put spills elsewhere."""
    fix = "free some space, or set SUPERTUNE_CACHE to a folder on another disk"
    try:
        yield
    except UserError as error:
        raise UserError(error.what, where=error.where, fix=fix) from error
    except OSError as error:
        what = f"a large table cannot be kept here ({error.strerror or error})"
        raise UserError(what, where=str(spills_folder()), fix=fix) from error


def describe(folder: Path, batch_rows: list[int], origin: Origin, row_ids: IntArray | None) -> None:
    """Write what belongs beside ``rows.arrow``; the last thing that is written into a spill."""
    if row_ids is not None:
        np.save(folder / "row_ids.npy", row_ids)
    about = {
        "bytes": (folder / "rows.arrow").stat().st_size,
        "batch_rows": batch_rows,
        "notes": origin.notes,
        "bad_rows": [dataclasses.astuple(bad) for bad in origin.bad_rows],
        "bad_row_count": origin.bad_row_count,
    }
    write_json(folder / "about.json", about)


def opened(key: str, source: str) -> Table | None:
    """The table of an earlier read; None when there is no whole spill of that name."""
    folder = spills_folder() / key
    try:
        about = json.loads((folder / "about.json").read_bytes())
        if (folder / "rows.arrow").stat().st_size != about["bytes"]:
            return None
        # Holding the lock before looking again: a tidying process may have removed the folder in between.
        storage = FileStorage(folder / "rows.arrow", tuple(about["batch_rows"]))
        row_ids = np.load(folder / "row_ids.npy") if (folder / "row_ids.npy").exists() else None
        os.utime(folder / "about.json")
    except (OSError, ValueError, KeyError, pa.ArrowInvalid):
        return None
    bad_rows = tuple(BadRow(*bad) for bad in about["bad_rows"])
    return table_of(storage, Origin(source, tuple(about["notes"]), bad_rows, about["bad_row_count"]), row_ids)


def table_of(storage: Any, origin: Origin, row_ids: IntArray | None) -> Table:
    """A table as it leaves reading: with ``read`` as the first step of its lineage."""
    reason = f"{origin.bad_row_count} malformed rows were skipped" if origin.bad_row_count else None
    rows = len(storage)
    step = Step("read", {"source": origin.source}, rows + origin.bad_row_count, rows, reason)
    return Table(storage, origin, (step,), row_ids)


def tidy() -> None:
    """Remove the spills used longest ago until the rest fit `CACHE_BYTES`, and parts left by killed processes.

    A spill that any process has open is left alone.
    """
    entries = []
    for folder in spills_folder().iterdir():
        with contextlib.suppress(OSError):
            if folder.name.startswith("."):
                _remove_leftover(folder)
                continue
            size = sum(file.stat().st_size for file in folder.iterdir())
            entries.append(((folder / "about.json").stat().st_mtime_ns, size, folder))
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries):
        if total <= CACHE_BYTES:
            return
        if _remove_unused(folder):
            total -= size


def _remove_leftover(folder: Path) -> None:
    newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    if time.time() - newest > _STALE_SECONDS:
        shutil.rmtree(folder)


def _remove_unused(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / "rows.arrow", os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
            return True
        finally:
            os.close(descriptor)
    return False
