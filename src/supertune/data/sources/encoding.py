"""Which encoding a text file is in, decided over the whole file, not its first kilobyte."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from supertune.errors import UserError

_BLOCK = 1024**2
_SAMPLE = 256 * 1024
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook (.xlsx)",
    b"PAR1": "a Parquet file (.parquet)",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x7fELF": "a program",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "an SQLite database",
}
_ESCAPED_BYTES = re.compile(r"[\udc80-\udcff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f\udc80-\udcff]")
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_PAIRS = re.compile(rb"(?:[\x81-\xfe][\x40-\x7e\x80-\xfe])+")
_CONTROLS = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
# The 3,755 everyday characters of GB 2312 (level 1) and its punctuation: nearly all of a Chinese text.
_EVERYDAY = frozenset(
    bytes((high, low)).decode("gb2312", "ignore")
    for high in (*range(0xA1, 0xA4), *range(0xB0, 0xD8))
    for low in range(0xA1, 0xFF)
)


@dataclass(frozen=True)
class Encoding:
    """How the bytes of a file become text.

    Attributes:
        codec: Python's name of the codec.
        note: What to tell the user; None for plain UTF-8.
        damaged: Some bytes are not valid in it; decoding gives them as lone surrogates.
    """

    codec: str
    note: str | None = None
    damaged: bool = False


def refuse_binary(start: bytes, source: str) -> None:
    """Refuse a file whose first bytes say that it is not text.

    Raises:
        UserError: Naming what the file is.
    """
    for magic, description in _MAGIC.items():
        if start.startswith(magic):
            raise UserError(
                f"is {description}, not text",
                where=source,
                fix="give it the extension of what it is, or export it as UTF-8 CSV or JSON Lines",
            )


def detect(open_bytes: Callable[[], BinaryIO], source: str) -> Encoding:
    """The encoding of a file, by strict decoding from start to end.

    UTF-8, UTF-16 and UTF-32 (by mark, UTF-16 also without), GB18030 where the result reads like Chinese,
    Windows-1252 or Latin-1 as the last resort. A file that is UTF-8 or GB18030 but for a few bytes is that,
    `damaged`: reading it as Latin-1 would spoil every row because of one.

    Raises:
        UserError: The file is empty or not text.
    """
    with open_bytes() as stream:
        start = stream.read(_SAMPLE)
    if not start:
        raise UserError("is empty", where=source, fix="give a file with a header and rows")
    refuse_binary(start, source)
    for mark, codec, name in _BOMS:
        if start.startswith(mark):
            note = None if name == "UTF-8" else f"read as {name} (it begins with that byte order mark)"
            return Encoding(codec, note, damaged=not _decodes(open_bytes, codec))
    zeros = start.count(0)
    if zeros <= len(start) // 20 and _decodes(open_bytes, "utf-8"):
        return Encoding("utf-8")
    if zeros and (encoding := _unmarked_utf16(open_bytes)):
        return encoding
    if len(_CONTROLS.findall(start)) > len(start) // 50 + 1:
        raise UserError("is not text: it is full of control bytes", where=source, fix="give a text file in UTF-8")
    return _without_utf8(open_bytes)


def _without_utf8(open_bytes: Callable[[], BinaryIO]) -> Encoding:
    characters, bad = _count(open_bytes, "utf-8")
    if characters >= 2 * bad:
        return Encoding("utf-8", damaged=True)
    if _reads_like_chinese(open_bytes):
        note = "read as GB18030, a Chinese encoding: it is not valid UTF-8"
        if _decodes(open_bytes, "gb18030"):
            return Encoding("gb18030", note)
        characters, bad = _count(open_bytes, "gb18030")
        if characters >= 10 * bad:
            return Encoding("gb18030", note, damaged=True)
    codec, name = ("cp1252", "Windows-1252") if _decodes(open_bytes, "cp1252") else ("latin-1", "Latin-1")
    return Encoding(
        codec,
        f"read as {name}, the last resort: it is neither UTF-8 nor GB18030; "
        "if letters look wrong, save the file as UTF-8",
    )


def _blocks(open_bytes: Callable[[], BinaryIO]) -> Iterator[bytes]:
    with open_bytes() as stream:
        while block := stream.read(_BLOCK):
            yield block


def _decodes(open_bytes: Callable[[], BinaryIO], codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    try:
        for block in _blocks(open_bytes):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _count(open_bytes: Callable[[], BinaryIO], codec: str) -> tuple[int, int]:
    """Numbers of non-ASCII characters and of bytes that are not valid."""
    decoder = codecs.getincrementaldecoder(codec)("surrogateescape")
    characters = bad = 0
    for block in _blocks(open_bytes):
        text = decoder.decode(block)
        characters += len(_NOT_ASCII.findall(text))
        bad += len(_ESCAPED_BYTES.findall(text))
    return characters, bad + len(_ESCAPED_BYTES.findall(decoder.decode(b"", final=True)))


def _unmarked_utf16(open_bytes: Callable[[], BinaryIO]) -> Encoding | None:
    """UTF-16 without a mark: read from the right end there are line ends, from the wrong one U+0A00 instead."""
    for codec, swapped in (("utf-16-le", "utf-16-be"), ("utf-16-be", "utf-16-le")):
        if not _decodes(open_bytes, codec):
            continue
        with open_bytes() as stream:
            text = stream.read(_SAMPLE).decode(codec, "ignore")
        wrong_way = {end.encode(swapped).decode(codec) for end in "\r\n"}
        if "\0" not in text and set("\r\n") & set(text) and not wrong_way & set(text):
            return Encoding(codec, f"read as {codec.upper()} (without a byte order mark)")
    return None


def _reads_like_chinese(open_bytes: Callable[[], BinaryIO]) -> bool:
    """Whether GB18030 gives Chinese: its bytes come in runs, and most characters are everyday ones.

    In a Latin text accented letters stand alone among ASCII ones; in Cyrillic they come in runs too, but as
    GB18030 those are rare characters.
    """
    alone = in_runs = characters = everyday = 0
    for block in _blocks(open_bytes):
        for run in _HIGH_BYTES.findall(block):
            in_runs += len(run) if len(run) > 1 else 0
            alone += len(run) == 1
        text = b" ".join(_PAIRS.findall(block)).decode("gb18030", "ignore").replace(" ", "")
        characters += len(text)
        everyday += sum(character in _EVERYDAY for character in text)
        if characters > _SAMPLE:
            break
    return in_runs >= 3 * alone and everyday >= 0.35 * max(1, characters)
