"""Tokens of texts that were tokenised before: files in the cache folder, read through a memory map.

A file ``tokens/<key>.arrow`` is an Arrow IPC file of one batch with one row per item: ``tokens``, a list of the
token columns, ``full_lengths`` and ``rows``. The key covers the texts, the tokenizer and the length they are cut to,
so that the same texts find their tokens again whatever file they come from. Labels are not in it.
What became of rows that are no items (`Features.notes`) is kept in the file's schema.

What is mapped needs no memory of its own: the system reads pages when they are looked at and drops them when memory
is short. Writing needs none either: the columns grow in nameless files beside the cache, and nothing is left of a
process that is killed.

The texts can be read off their tokens. Deleting the folder, or any file in it, is safe at any time, also while
others use it: a file that is gone is made anew when next needed, and mapped pages stay until they are let go.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from supertune.contracts import Features
from supertune.data.arrays import JSON_TYPE, is_text, python_values
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.files import atomic_file, cache_folder

TOKEN_CACHE_BYTES = 5 * 1024**3
"""The files together are kept below this, and below a tenth of the disk that is free or theirs."""

_FORMAT = 1
_COLUMNS = ["tokens", "full_lengths", "rows"]
_ABOUT = b"supertune"
_STALE_SECONDS = 24 * 3600
_TEXTS_AT_ONCE = 8192


def tokens_folder() -> Path:
    """The folder that holds all kept tokens."""
    return cache_folder() / "tokens"


def texts_fingerprint(table: Table, columns: Sequence[str]) -> tuple[str, int]:
    """Hex SHA-256 of the values of these columns in their order, and about how many characters they have.

    Unlike `Table.fingerprint` it stays the same when labels, other columns or names of columns change. Lists and
    objects that are kept as JSON are taken as they are written.
    """
    digest = hashlib.sha256()
    characters = 0
    for piece in table.arrow_batches(_TEXTS_AT_ONCE, columns):
        for name in columns:
            column = piece.column(name)
            if column.type == JSON_TYPE or is_text(column.type):
                characters += _add_texts(digest, column)
            else:
                text = json.dumps(python_values(column), ensure_ascii=False, default=repr)
                characters += len(text)
                digest.update(b"values %d " % len(text))
                digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest(), characters


def _add_texts(digest: Any, column: Any) -> int:
    """Add which texts are missing, how long the others are, and all of them; returns how many characters they have."""
    lists = column.type == JSON_TYPE
    if lists:
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    column = column.cast(pa.large_string())
    texts = pa.concat_arrays([pa.array([], pa.large_string()), *pc.fill_null(column, "").chunks])
    digest.update(b"%s %d " % (b"lists" if lists else b"texts", len(texts)))
    digest.update(np.packbits(column.is_null().to_numpy()).data)
    digest.update(pc.binary_length(texts).to_numpy().data)
    _, offsets, content = texts.buffers()
    first, behind = np.frombuffer(offsets, np.int64)[[texts.offset, texts.offset + len(texts)]]
    digest.update(memoryview(content or b"")[first:behind])
    return int(pc.sum(pc.utf8_length(texts)).as_py() or 0)


class TokenCache:
    """Keeps tokens from one run to the next, and does without where that is not possible.

    Args:
        warn: Told, in a sentence, that a file was damaged, and once that nothing can be kept.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._writable = True

    def find(self, key: str) -> Features | None:
        """The tokens kept under this key, memory-mapped and read-only; None if there are none, or damaged ones."""
        path = _path(key)
        try:
            features = _mapped(path, key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, pa.ArrowException) as error:
            self._warn(f"{path} cannot be used ({_reason(error)}): the texts are tokenised again")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return features

    def keep(self, key: str, pieces: Callable[[], Iterable[Features]]) -> Features | None:
        """Write the pieces, one after the other, as the tokens of this key, and give them as `find` does.

        Args:
            key: Hex digits that stand for everything the tokens depend on.
            pieces: Gives features without targets, at least one; not called where nothing can be kept.

        Returns:
            None where they cannot be kept (a full disk, no permission), now or at an earlier call.
        """
        if not self._writable:
            return None
        path = _path(key)
        try:
            with contextlib.ExitStack() as stack:
                _write(path, key, _spooled(pieces(), stack))
        except _CannotKeepError as error:
            self._writable = False
            self._warn(f"tokens cannot be kept in {path.parent} ({error}): the next run tokenises again")
            return None
        _tidy(path)
        return self.find(key)


class _CannotKeepError(Exception):
    """The cache cannot be written; says why."""


@contextlib.contextmanager
def _keeping() -> Iterator[None]:
    """Tell apart what goes wrong with the cache from what goes wrong with the texts on their way to it."""
    try:
        yield
    except (OSError, UserError) as error:
        raise _CannotKeepError(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, UserError):
        return error.what
    text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return text.partition("\n")[0].lower()


def _path(key: str) -> Path:
    return tokens_folder() / f"{key}.arrow"


class _Spool:
    """A column that grows in a nameless file."""

    def __init__(self, kind: np.dtype[Any], file: RawIOBase) -> None:
        self._kind = kind
        self._file = file

    def add(self, values: NDArray[Any]) -> None:
        """Append the values."""
        rest = np.ascontiguousarray(values).view(np.uint8).data
        while rest:
            rest = rest[self._file.write(rest) :]

    def array(self) -> NDArray[Any]:
        """All of it, mapped."""
        if not self._file.tell():
            return np.zeros(0, self._kind)
        return np.frombuffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ), self._kind)


@contextlib.contextmanager
def _spool(kind: np.dtype[Any]) -> Iterator[_Spool]:
    # Without a buffer: one that could not be emptied would fail again when the file is closed.
    with tempfile.TemporaryFile(buffering=0, dir=tokens_folder()) as file:
        yield _Spool(kind, file)


def _spooled(pieces: Iterable[Features], stack: contextlib.ExitStack) -> Features:
    """All pieces as one, mapped from files that are there until the stack is closed."""
    spools: dict[str, _Spool] = {}
    names: tuple[str, ...] = ()
    total, notes = 0, None
    for piece in pieces:
        notes = piece.notes
        columns = {f"tokens.{name}": values for name, values in piece.tokens.items()}
        columns |= {"full_lengths": piece.full_lengths, "rows": piece.rows}
        with _keeping():
            if not spools:
                tokens_folder().mkdir(parents=True, exist_ok=True)
                names = tuple(piece.tokens)
                spools = {name: stack.enter_context(_spool(values.dtype)) for name, values in columns.items()}
                spools["offsets"] = stack.enter_context(_spool(piece.offsets.dtype))
                spools["offsets"].add(piece.offsets[:1])
            for name, values in columns.items():
                spools[name].add(values)
            spools["offsets"].add(piece.offsets[1:] + total)
        total += int(piece.offsets[-1])
    with _keeping():
        return Features(
            tokens={name: spools[f"tokens.{name}"].array() for name in names},
            offsets=spools["offsets"].array(),
            targets={},
            rows=spools["rows"].array(),
            full_lengths=spools["full_lengths"].array(),
            notes=notes,
        )


def _write(path: Path, key: str, features: Features) -> None:
    with _keeping():
        values = pa.StructArray.from_arrays(map(pa.array, features.tokens.values()), list(features.tokens))
        columns = [
            pa.LargeListArray.from_arrays(pa.array(features.offsets), values),
            pa.array(features.full_lengths),
            pa.array(features.rows),
        ]
        about = {_ABOUT: json.dumps(_about(key, features)).encode()}
        schema = pa.schema(zip(_COLUMNS, (column.type for column in columns), strict=True), about)
        batch = pa.record_batch(columns, schema=schema)
        with atomic_file(path, binary=True) as stream, pa.ipc.new_file(stream, schema) as writer:
            writer.write_batch(batch)


def _mapped(path: Path, key: str) -> Features:
    """The tokens in a file, after every byte of them was looked at.

    Raises:
        OSError: The file is missing or cannot be read.
        ValueError, pa.ArrowException: It is damaged, or of another kind.
    """
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    about = json.loads((reader.schema.metadata or {}).get(_ABOUT, b"null"))
    if not isinstance(about, dict) or reader.schema.names != _COLUMNS or reader.num_record_batches != 1:
        raise ValueError("it is of another kind")
    if not pa.types.is_large_list(reader.schema.field("tokens").type):
        raise ValueError("it is of another kind")
    batch = reader.get_batch(0)
    batch.validate()
    tokens = batch.column("tokens")
    kinds = tokens.type.value_type
    features = Features(
        tokens={
            kinds.field(index).name: tokens.values.field(index).to_numpy(zero_copy_only=True)
            for index in range(kinds.num_fields)
        },
        offsets=tokens.offsets.to_numpy(zero_copy_only=True),
        targets={},
        rows=batch.column("rows").to_numpy(zero_copy_only=True),
        full_lengths=batch.column("full_lengths").to_numpy(zero_copy_only=True),
        notes=about.get("notes"),
    )
    if about != _about(key, features):
        raise ValueError("it is damaged")
    return features


def _about(key: str, features: Features) -> dict[str, object]:
    """What a file says of itself: with the SHA-256 of names, kinds, lengths and values of all its arrays."""
    arrays = [(f"tokens.{name}", values) for name, values in features.tokens.items()]
    arrays += [("offsets", features.offsets), ("rows", features.rows), ("full_lengths", features.full_lengths)]
    digest = hashlib.sha256()
    for name, values in arrays:
        digest.update(json.dumps([name, values.dtype.str, len(values)]).encode())
        digest.update(values.data)
    notes = {} if features.notes is None else {"notes": features.notes}
    return {"format": _FORMAT, "key": key, "sha256": digest.hexdigest(), **notes}


def _tidy(newest: Path) -> None:
    """Remove the files used longest ago, but not ``newest``, until the rest fit, and parts left by killed processes."""
    entries = []
    with contextlib.suppress(OSError):
        for file in tokens_folder().iterdir():
            with contextlib.suppress(OSError):  # another process may have removed it
                status = file.stat()
                if file.suffix == ".arrow":
                    entries.append((status.st_mtime_ns, status.st_size, file))
                elif file.suffix == ".partial" and time.time() - status.st_mtime > _STALE_SECONDS:
                    file.unlink()
        used = sum(size for _, size, _ in entries)
        limit = min(TOKEN_CACHE_BYTES, (shutil.disk_usage(tokens_folder()).free + used) // 10)
        for _, size, file in sorted(entries):
            if used > limit and file != newest:
                with contextlib.suppress(OSError):
                    file.unlink()
                    used -= size
