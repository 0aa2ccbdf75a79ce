"""GGUF files: what their headers say, whether they are whole, and a copy without the vocabulary.

The layout, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): magic ``GGUF``, u32 version,
u64 tensors, u64 entries; entries (key, u32 kind, value); tensors (name, u32 dimensions, u64 each with the fastest
first, u32 type, u64 offset); then, aligned, the tensors' bytes. A string is its u64 length and UTF-8. Versions 2 and 3
differ in nothing but that 3 may be big-endian.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from supertune.errors import UserError
from supertune.files import explained

MAGIC = b"GGUF"
SUFFIX = ".gguf"
VERSIONS = (2, 3)

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_MOST_DIMENSIONS = 4
_ALIGNMENT = 32
_SHORT = 1024
"""Longer arrays are counted, not read: those of the vocabulary, which whoever converts it reads himself."""
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$", re.IGNORECASE)
_PIECE = 16 * 2**20


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor lies in its file.

    Attributes:
        name: As llama.cpp calls it.
        shape: Rows first.
        kind: Number of ggml's type.
        start: Of its bytes in the file.
        size: Bytes.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int
    size: int


@dataclass(frozen=True)
class GgufFile:
    """What a file's header says; checked to be as long as that.

    Attributes:
        path: The file.
        values: Entry → number, text or short list; of long lists the length.
        spans: Entry → where it begins and ends in the file, key included.
        tensors: In the order of the header.
    """

    path: Path
    values: Mapping[str, Any]
    spans: Mapping[str, tuple[int, int]]
    tensors: tuple[GgufTensor, ...]

    @property
    def architecture(self) -> str:
        """As llama.cpp calls it; empty in all splits but the first."""
        return str(self.values.get("general.architecture", ""))


def is_gguf(path: Path) -> bool:
    """Whether a file begins as GGUF files do, or is called like one."""
    if path.name.lower().endswith(SUFFIX):
        return True
    with explained(path), path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def split_set(path: Path) -> tuple[Path, ...]:
    """All files of the model that ``path`` is one of, in order.

    Raises:
        UserError: A split is missing.
    """
    named = _SPLIT.fullmatch(path.name)
    if named is None:
        return (path,)
    count = int(named["count"])
    if not 1 <= int(named["number"]) <= count:
        raise UserError(f"there is no split {int(named['number'])} of {count}", where=str(path), fix="check the name")
    files = tuple(path.with_name(f"{named['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1))
    with explained(path):
        lost = [file.name for file in files if not file.is_file()]
    if lost:
        raise UserError(
            f"is one of {count} splits, of which {len(lost)} are missing: {', '.join(lost[:3])}",
            where=str(path),
            fix="put all of them into one folder",
        )
    return files


def read_header(path: Path) -> GgufFile:
    """Read and check a file's header, and that the file is as long as it says.

    Raises:
        UserError: It is no GGUF file, of an unknown version, damaged or cut off.
    """
    with explained(path), path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise UserError(
                "is not a GGUF file: it does not begin with 'GGUF'",
                where=str(path),
                fix="name a GGUF file, or a folder with config.json and model.safetensors",
            )
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _Reader(path, content).header()
            except struct.error as error:
                raise _cut_off(path, "its header goes on behind the end") from error
            except (ValueError, OverflowError) as error:
                raise UserError(f"is damaged ({error})", where=str(path), fix="get the file again") from error


def _cut_off(path: Path, how: str) -> UserError:
    return UserError(f"is cut off: {how}", where=str(path), fix="copy or download the file again")


class _Reader:
    """Reads values one after the other; what lies behind the end raises struct.error."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self.path, self.content = path, content
        self.position = len(MAGIC)

    def value(self, layout: str) -> Any:
        (found,) = struct.unpack_from("<" + layout, self.content, self.position)
        self.position += struct.calcsize("<" + layout)
        return found

    def skip(self, count: int) -> None:
        self.position += count
        if self.position > len(self.content):
            raise struct.error("behind the end")

    def text(self) -> str:
        start = self.position + 8
        self.skip(8 + self.length())
        return self.content[start : self.position].decode("utf-8")

    def length(self) -> int:
        """Of the string that begins here; the position stays."""
        (found,) = struct.unpack_from("<Q", self.content, self.position)
        return int(found)

    def entry(self) -> Any:
        kind = self.value("I")
        if kind in _SCALARS:
            return self.value(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self.array()
        raise ValueError(f"a value of the unknown kind {kind}")

    def array(self) -> Any:
        kind, count = self.value("I"), self.value("Q")
        if kind in _SCALARS:
            if count <= _SHORT:
                return [self.value(_SCALARS[kind]) for _ in range(count)]
            self.skip(count * struct.calcsize("<" + _SCALARS[kind]))
            return count
        if kind != _STRING:
            raise ValueError(f"a list of the unknown kind {kind}")
        if count <= _SHORT:
            return [self.text() for _ in range(count)]
        for _ in range(count):
            self.skip(8 + self.length())
        return count

    def header(self) -> GgufFile:
        version = self.value("I")
        if version & 0xFFFF == 0:
            raise UserError(
                "is written for big-endian machines", where=str(self.path), fix="get the usual, little-endian file"
            )
        if version not in VERSIONS:
            raise UserError(
                f"is GGUF of version {version}; known are {' and '.join(map(str, VERSIONS))}",
                where=str(self.path),
                fix="get a newer file of the model",
            )
        tensor_count, entry_count = self.value("Q"), self.value("Q")
        values: dict[str, Any] = {}
        spans: dict[str, tuple[int, int]] = {}
        for _ in range(entry_count):
            start = self.position
            key = self.text()
            values[key] = self.entry()
            spans[key] = (start, self.position)
        listed = [self.tensor() for _ in range(tensor_count)]
        alignment = values.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError(f"an alignment of {alignment!r}")
        begin = math.ceil(self.position / alignment) * alignment
        tensors = tuple(GgufTensor(name, shape, kind, begin + at, size) for name, shape, kind, at, size in listed)
        end = max((tensor.start + tensor.size for tensor in tensors), default=0)
        if end > len(self.content):
            raise _cut_off(self.path, f"{len(self.content):,} bytes are there, and {end:,} should be")
        return GgufFile(self.path, values, spans, tensors)

    def tensor(self) -> tuple[str, tuple[int, ...], int, int, int]:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        name, dimensions = self.text(), self.value("I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"the tensor {name!r} of {dimensions} dimensions")
        shape = tuple(reversed([self.value("Q") for _ in range(dimensions)]))
        kind, offset = self.value("I"), self.value("Q")
        if kind not in set(GGMLQuantizationType):
            raise UserError(
                f"holds {name!r} in a form of weights that is not known (ggml's type {kind})",
                where=str(self.path),
                fix="get the model in another form, such as Q8_0 or Q4_K_M, or a newer gguf package",
            )
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        count = math.prod(shape)
        if count % block:
            raise ValueError(f"the tensor {name!r} of {count} weights in blocks of {block}")
        return name, shape, kind, offset, count // block * size


def join_without_vocabulary(files: Sequence[GgufFile], target: Path, more: Mapping[str, int]) -> None:
    """Write one file with all tensors of the splits, and the first one's entries but those about text.

    Libraries take a minute for a vocabulary of 262,144 pieces, each time that they open a file, and know no splits.

    Args:
        files: Of one model, in order.
        target: The file to write.
        more: Further entries, below 2³².

    Raises:
        UserError: The disk is full, or a file cannot be read.
    """
    first = files[0]
    kept = [span for key, span in first.spans.items() if _needed(key)]
    tensors = [(file.path, tensor) for file in files for tensor in file.tensors]
    with explained(target), target.open("wb") as out, first.path.open("rb") as source:
        out.write(MAGIC + struct.pack("<IQQ", VERSIONS[-1], len(tensors), len(kept) + len(more)))
        for start, end in kept:
            source.seek(start)
            out.write(source.read(end - start))
        for key, value in more.items():
            out.write(_text(key) + struct.pack("<II", _UINT32, value))
        offset = 0
        for _, tensor in tensors:
            shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *reversed(tensor.shape))
            out.write(_text(tensor.name) + shape + struct.pack("<IQ", tensor.kind, offset))
            offset += math.ceil(tensor.size / _ALIGNMENT) * _ALIGNMENT
        for path, tensor in tensors:
            out.write(bytes(-out.tell() % _ALIGNMENT))
            with explained(path), path.open("rb") as stream:
                _copy(stream, tensor, out)


def _needed(key: str) -> bool:
    """Of what is said about text, which tokens are special; the alignment is the usual one here."""
    if key.startswith("tokenizer."):
        return key.endswith("_token_id")
    return key != "general.alignment" and not key.startswith("split.")


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def _copy(stream: IO[bytes], tensor: GgufTensor, out: IO[bytes]) -> None:
    stream.seek(tensor.start)
    left = tensor.size
    while left:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            raise _cut_off(Path(stream.name), "it became shorter while it was read")
        out.write(piece)
        left -= len(piece)
