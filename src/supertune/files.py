"""Files that are either whole or absent: atomic, durable writing, fingerprints, and the cache folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from supertune.errors import UserError


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into a `UserError` that names it.

    Covers a full disk, missing permissions, a read-only file system and a folder where a file should be.
    """
    try:
        yield
    except OSError as error:
        fixes = {
            errno.ENOSPC: "free some space, or choose another place with --out",
            errno.EDQUOT: "your disk quota is used up: free some space, or choose another place with --out",
            errno.EACCES: "check the permissions, or choose another place",
            errno.EPERM: "check the permissions, or choose another place",
            errno.EROFS: "the file system is read-only: choose another place",
            errno.ENOENT: "check the path",
            errno.EISDIR: "name a file, not a folder",
            errno.EEXIST: "a file is where a folder should be: choose another place",
            errno.ENOTDIR: "a part of this path is a file, not a folder: check the path",
            errno.ENAMETOOLONG: "choose a shorter name",
        }
        if error.errno not in fixes:
            raise
        reason = os.strerror(error.errno).lower()
        raise UserError(f"cannot be used: {reason}", where=str(path), fix=fixes[error.errno]) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_file(path: Path, *, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a temporary neighbour of ``path`` for writing and rename it into place when the block succeeds.

    The content is flushed to the disk before the rename and the folder after it, so that after a crash
    ``path`` holds either the old content or the new, never a part. On failure the neighbour is removed.
    Text is UTF-8 with line feeds.

    Raises:
        UserError: The disk is full, or the place is not writable.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            mode, encoding, newline = ("wb", None, None) if binary else ("w", "utf-8", "\n")
            with temporary.open(mode, encoding=encoding, newline=newline) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour folder that becomes ``path`` when the block succeeds.

    Every file in it is flushed to the disk before the rename, and gets the permissions that the user's umask
    grants (some libraries write files that only their owner can read). An existing ``path`` is replaced only then.

    Raises:
        UserError: The disk is full, or the place is not writable.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=f".{os.getpid()}.partial", dir=path.parent))
        try:
            yield temporary
            _settle(temporary)
            if path.exists():
                _exchange(temporary, path)
            else:
                temporary.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _settle(folder: Path) -> None:
    """Flush everything below ``folder`` to the disk, with the permissions that a plain ``open`` would have given."""
    mask = _umask(folder)
    for entry in (*sorted(folder.rglob("*")), folder):
        if entry.is_symlink():
            continue
        given = 0o777 if entry.is_dir() else 0o666
        entry.chmod((stat.S_IMODE(entry.stat().st_mode) | given) & ~mask)
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask(folder: Path) -> int:
    """The umask, seen on a folder made in ``folder``: `os.umask` sets it for every thread to tell what it was."""
    probe = folder / f".{os.getpid()}.umask"
    probe.mkdir()
    try:
        return 0o777 & ~probe.stat().st_mode
    finally:
        probe.rmdir()


def _exchange(new: Path, path: Path) -> None:
    """Put ``new`` in the place of the folder ``path``, which comes back should that fail."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    old = aside / path.name
    try:
        path.replace(old)
        new.replace(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.replace(path)
        raise
    finally:
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder so that nobody ever finds a part of it under its name."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    path.replace(aside)
    shutil.rmtree(aside)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that ended while writing left in ``folder``; what a living one writes stays.

    Call it before this process writes there: a leftover may bear this process's own number, since numbers come again,
    in containers often at once.
    """
    for entry in folder.glob(".*.partial"):
        number = entry.name.split(".")[-2]
        if not number.isdecimal() or (int(number) != os.getpid() and _exists(int(number))):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically as UTF-8."""
    with atomic_file(path) as stream:
        stream.write(text)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` atomically as indented JSON with a final newline; Chinese stays readable."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[object]) -> int:
    """Write one JSON object per line, atomically; returns how many."""
    count = 0
    with atomic_file(path) as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[Any]:
    """The values of a file with one JSON value per line.

    Raises:
        UserError: The file is missing or damaged; names the line.
    """
    with explained(path), path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise UserError("is not JSON", where=f"{path}:{number}", fix="restore the file") from error


def read_json(path: Path) -> Any:
    """Read a JSON file that supertune wrote.

    Raises:
        UserError: The file is missing, not readable or not JSON.
    """
    with explained(path):
        text = path.read_bytes()
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"is not valid JSON ({error})", where=str(path), fix="restore the file") from error


def sha256_bytes(*parts: bytes) -> str:
    """Hex SHA-256 of the parts, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's content, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where downloaded, imported and intermediate things live.

    ``SUPERTUNE_CACHE`` if set, else ``$XDG_CACHE_HOME/supertune``, else ``~/.cache/supertune``.
    """
    if named := os.environ.get("SUPERTUNE_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "supertune"
