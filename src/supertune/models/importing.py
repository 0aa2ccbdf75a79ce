"""Models that have to be made into a plain folder before they can be opened: once, whole, and checked ever after."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from supertune.errors import UserError
from supertune.files import atomic_folder, cache_folder, explained, read_json, write_json
from supertune.models.weights import file_digest

_MANIFEST = "manifest.json"
_LOCK_SECONDS = 600.0


def imported_folder(name: str, identity: str) -> Path:
    """Where an import goes; ``identity`` is a hex digest of what is imported and of the way it is done."""
    return cache_folder() / "models" / f"{name}-{identity[:12]}"


def is_intact(folder: Path) -> bool:
    """True when every file that the folder's manifest lists is there with the digest it lists."""
    try:
        files = read_json(folder / _MANIFEST)["files"]
        return bool(files) and all(file_digest(folder / name) == digest for name, digest in files.items())
    except (UserError, OSError, KeyError, TypeError, AttributeError):
        return False


def import_once(folder: Path, write: Callable[[Path], Mapping[str, Any]], *, needed: int) -> None:
    """Make a folder, unless it is there and intact.

    Under a lock, so that two processes do not do it twice; the lock ends with the process that holds it. Until all is
    written, flushed to the disk and listed with its digests in ``manifest.json``, nothing is under the folder's name.

    Args:
        folder: From `imported_folder`.
        write: Writes the model's files into an empty folder; returns what the manifest says beside them.
        needed: Most bytes on the disk while it does.

    Raises:
        UserError: The cache cannot be written, or another process holds the lock for ten minutes.
    """
    import filelock

    if is_intact(folder):
        return
    lock = folder.with_name(f".{folder.name}.lock")
    with explained(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(lock, timeout=_LOCK_SECONDS):
                if not is_intact(folder):
                    _remove_remains(folder)
                    _check_space(folder.parent, needed)
                    with atomic_folder(folder) as unfinished:
                        facts = write(unfinished)
                        files = {file.name: file_digest(file) for file in sorted(unfinished.iterdir())}
                        write_json(unfinished / _MANIFEST, {**facts, "files": files})
        except filelock.Timeout as error:
            raise UserError(
                "another process has been importing the model for ten minutes",
                where=str(lock),
                fix="wait for it, or end it and try again",
            ) from error


def _remove_remains(folder: Path) -> None:
    """Remove what a killed import left; nobody else writes here while the lock is held."""
    for remains in folder.parent.glob(f".{folder.name}.*"):
        if remains.suffix in (".partial", ".old"):
            shutil.rmtree(remains)


def _check_space(parent: Path, needed: int) -> None:
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise UserError(
            f"{free // 1_000_000:,} MB are free, and importing the model takes {needed // 1_000_000:,}",
            where=str(parent),
            fix="free some space, or name another place for the cache in the environment variable SUPERTUNE_CACHE",
        )
