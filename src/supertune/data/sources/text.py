"""Text files opened for reading: plain or gzipped, in whatever encoding they are."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from supertune.data.sources.encoding import Encoding, detect
from supertune.errors import UserError
from supertune.files import explained

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class TextFile:
    """A text file under way.

    Attributes:
        lines: The text, line ends as they are; bytes that are not valid appear as lone surrogates.
        encoding: How it is decoded.
        notes: What to tell the user.
    """

    lines: io.TextIOWrapper
    encoding: Encoding
    notes: tuple[str, ...]
    _raw: BinaryIO
    _size: int

    def fraction(self) -> float:
        """The part of the file read so far, 0 to 1."""
        return min(1.0, self._raw.tell() / max(1, self._size))


@contextlib.contextmanager
def open_text(path: Path, source: str) -> Iterator[TextFile]:
    """Open a text file, its encoding detected over the whole of it.

    Raises:
        UserError: The file is missing, not readable, empty, not text, or its compression is broken.
    """
    with explained(path), _intact(source):
        encoding = detect(lambda: open_bytes(path), source)
        with path.open("rb") as raw:
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip(path) else raw
            lines = io.TextIOWrapper(stream, encoding.codec, "surrogateescape", newline="")
            notes = (encoding.note,) if encoding.note else ()
            with lines:
                yield TextFile(lines, encoding, notes, raw, path.stat().st_size)


def is_gzip(path: Path) -> bool:
    """True when the file begins as gzip files do."""
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, decompressed if they are gzipped."""
    return cast(BinaryIO, gzip.open(path)) if is_gzip(path) else path.open("rb")


@contextlib.contextmanager
def _intact(source: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        what = f"is a damaged or incomplete gzip file ({error})"
        raise UserError(what, where=source, fix="copy or compress the file again") from error
    except UnicodeDecodeError as error:
        what = f"is damaged: it stops being {error.encoding.upper()} somewhere ({error.reason})"
        raise UserError(what, where=source, fix="save the file again, as UTF-8") from error
