"""Vectors of passages as they are kept: whole, or in fewer bits, in plain ``.npy`` files that are read where needed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.errors import UserError

Storage = Literal["float32", "float16", "int8", "binary"]
STORAGES: tuple[Storage, ...] = get_args(Storage)
Vector32 = NDArray[np.float32]

_WORD = 64
_LARGEST = 127


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of length 1, one for each passage.

    ``float32`` and ``float16`` are the numbers as they are. ``int8`` has whole numbers from -127 to 127 and one scale
    for each vector, by which its largest number is 127. ``binary`` has one bit for each number, whether it is above 0
    (Yamada, Asai and Hajishirzi 2021, "Efficient passage retrieval with hashing for open-domain question answering").

    Attributes:
        storage: How a number is kept.
        width: Numbers in a vector.
        values: (passages, width) of that type; for ``binary`` uint64 (passages, words), 64 bits in a word.
        scales: float32 (passages,) for ``int8``.
    """

    storage: Storage
    width: int
    values: NDArray[Any]
    scales: Vector32 | None = None

    def __len__(self) -> int:
        return len(self.values)

    def block(self, start: int, stop: int) -> Vector32:
        """Float32 (stop - start, width): the vectors from one number to another."""
        return self._whole(slice(start, stop))

    def products(self, queries: Vector32, start: int, stop: int) -> Vector32:
        """Float32 (queries, stop - start): inner products with the vectors from one number to another."""
        if self.scales is None:
            return queries @ self.block(start, stop).T
        # Scaling each product is less work than scaling each number of each vector.
        products = queries @ np.asarray(self.values[start:stop]).astype(np.float32).T
        products *= self.scales[start:stop]
        return products

    def take(self, ids: IntArray) -> Vector32:
        """Float32 (ids, width): the vectors of these passages."""
        return self._whole(ids)

    def _whole(self, which: slice | IntArray) -> Vector32:
        values = np.asarray(self.values[which])
        if self.storage == "binary":
            bits = np.unpackbits(values.view(np.uint8), axis=1, count=self.width, bitorder="little")
            return (bits.astype(np.float32) * 2 - 1) / np.float32(np.sqrt(self.width))
        whole = values.astype(np.float32, copy=False)
        return whole if self.scales is None else whole * np.asarray(self.scales[which])[:, None]

    @cached_property
    def bit_columns(self) -> NDArray[np.uint64]:
        """uint64 (words, passages): the bits of ``binary``, so that the same word of all passages lies together."""
        return np.ascontiguousarray(np.asarray(self.values).T)


def compressed(vectors: Vector32, storage: Storage) -> Vectors:
    """The vectors (float32, passages × width) as ``storage`` keeps them."""
    width = vectors.shape[1]
    if storage == "binary":
        return Vectors(storage, width, bits_of(vectors))
    if storage == "int8":
        largest = np.abs(vectors).max(axis=1, initial=0)
        # A vector of zeros stays one.
        scales = np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)
        return Vectors(storage, width, np.rint(vectors / scales[:, None]).astype(np.int8), scales)
    return Vectors(storage, width, vectors.astype(storage))


def bits_of(vectors: Vector32) -> NDArray[np.uint64]:
    """uint64 (vectors, words): a bit for each number above 0, the lowest first; bits beyond the width are 0."""
    words = -(-vectors.shape[1] // _WORD)
    packed = np.zeros((len(vectors), words * _WORD // 8), np.uint8)
    bits = np.packbits(vectors > 0, axis=1, bitorder="little")
    packed[:, : bits.shape[1]] = bits
    return packed.view("<u8").astype(np.uint64)


def shortened(vectors: Vector32, width: int) -> Vector32:
    """The first ``width`` numbers of each vector, brought back to length 1.

    For models that learned to say the most in their first numbers (Kusupati et al. 2022, "Matryoshka representation
    learning"); others lose much.
    """
    if width == vectors.shape[1]:
        return vectors
    first = vectors[:, :width].astype(np.float32)
    lengths = np.linalg.norm(first, axis=1, keepdims=True)
    return np.asarray(first / np.where(lengths > 0, lengths, 1), np.float32)


def write_vectors(
    folder: Path, name: str, blocks: Iterable[Vector32], *, rows: int, width: int, storage: Storage
) -> None:
    """Write vectors as they come into ``folder``: ``name.npy`` and, for ``int8``, ``name.scales.npy``."""
    shape, kind = (rows, width), np.dtype("uint64" if storage == "binary" else storage)
    if storage == "binary":
        shape = (rows, -(-width // _WORD))
    values = new_array(folder / f"{name}.npy", kind, shape)
    scales = np.ones(rows if storage == "int8" else 0, np.float32)
    done = 0
    for block in blocks:
        part = compressed(block, storage)
        values[done : done + len(part)] = part.values
        if part.scales is not None:
            scales[done : done + len(part)] = part.scales
        done += len(part)
    values.flush()
    if storage == "int8":
        np.save(folder / f"{name}.scales.npy", scales)


def new_array(path: Path, kind: Any, shape: tuple[int, ...]) -> Any:
    """An array in a new file, to be filled in, with its place on the disk taken.

    Where it is not taken first, a full disk ends the process when a page is written, without a word.

    Raises:
        OSError: The disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return array


def open_vectors(folder: Path, name: str, *, rows: int, width: int, storage: Storage) -> Vectors:
    """Open what `write_vectors` wrote; nothing is read yet.

    Raises:
        UserError: A file is missing, damaged, or of another shape.
    """
    words = -(-width // _WORD)
    shape = (rows, words if storage == "binary" else width)
    values = open_array(folder / f"{name}.npy", shape, "uint64" if storage == "binary" else storage)
    scales = open_array(folder / f"{name}.scales.npy", (rows,), "float32") if storage == "int8" else None
    return Vectors(storage, width, values, scales)


def open_array(path: Path, shape: tuple[int | None, ...], kind: str) -> NDArray[Any]:
    """An array in a file, read where it is needed.

    Args:
        path: The ``.npy`` file.
        shape: What it must have; None for any number.
        kind: The type it must be of.

    Raises:
        UserError: It is missing, damaged, or another one.
    """
    try:
        # An empty file cannot be mapped.
        array: NDArray[Any] = np.load(path, mmap_mode=None if 0 in shape else "r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise damaged(path) from error
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, given) for wanted, given in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != np.dtype(kind):
        raise damaged(path)
    return array


def damaged(path: Path) -> UserError:
    """The error for a file of an index that is not as it was written."""
    return UserError("is missing or damaged", where=str(path), fix="restore the file, or make the index again")
