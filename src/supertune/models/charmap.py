"""SentencePiece's compiled character map: which characters a text is rewritten with before it is cut.

The map of a published tokenizer is a double-array trie (Aoe 1989, in the layout of Darts-clone) from UTF-8 keys
to positions in a block of zero-terminated replacements. What is rebuilt here answers every text as the original
does under the ``tokenizers`` library, which looks up a grapheme of at most `LONGEST_GRAPHEME` bytes as a whole,
takes the *shortest* key it begins with, and looks up longer graphemes character by character. Longer keys of the
original are therefore never read, and left out.
"""

from __future__ import annotations

import itertools
import struct
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np

LONGEST_GRAPHEME = 5

_LEAF = 0x100
_VALUE = 0x80000000
_BLOCK = 256
_RECENT = 2 * _BLOCK


def compile_charmap(replacements: Mapping[str, str]) -> bytes:
    """The compiled form of a character map, as ``tokenizers.normalizers.Precompiled`` takes it.

    Args:
        replacements: One character → what it becomes. Spellings of composed letters (``e`` + U+0301) are added.

    Returns:
        uint32 size of the trie in bytes, the trie, and the replacements; the same bytes for the same map.
    """
    whole = {**composed_spellings(replacements), **replacements}
    block = bytearray()
    positions: dict[str, int] = {}
    for replacement in sorted(set(whole.values())):
        positions[replacement] = len(block)
        block += replacement.encode() + b"\0"
    trie = _double_array({key.encode(): positions[replacement] for key, replacement in whole.items()})
    return struct.pack("<I", len(trie)) + trie + bytes(block)


def composed_spellings(replacements: Mapping[str, str]) -> dict[str, str]:
    """Every spelling in several characters, up to `LONGEST_GRAPHEME` bytes, of a letter that also exists as one.

    Unicode never changes the decomposition of an assigned character and composes nothing new in the range that
    these few bytes reach, so that the result does not depend on the Unicode version of the interpreter.
    """
    lookalikes: dict[str, list[str]] = {}
    for character, replacement in replacements.items():
        if len(replacement) == 1:
            lookalikes.setdefault(replacement, []).append(character)
    spellings: dict[str, str] = {}
    for composed in map(chr, range(0x80, 0xD800)):
        if composed in replacements or not unicodedata.decomposition(composed):
            continue
        parts = unicodedata.normalize("NFD", composed)
        for spelling in itertools.product(*([part, *lookalikes.get(part, ())] for part in parts)):
            text = "".join(spelling)
            if len(parts) > 1 and len(text.encode()) <= LONGEST_GRAPHEME:
                spellings[text] = composed
    return spellings


def _double_array(values: Mapping[bytes, int]) -> bytes:
    """Lay a trie out so that the child of a node under byte b stands at ``base XOR b``, little-endian uint32 each.

    A unit holds the byte that leads to it (bits 0-7), whether a key ends there (bit 8, value at ``base``), and
    the XOR of its own position and its base (bits 10 and up).
    """
    root: dict[int, Any] = {}
    for key in sorted(values):
        node = root
        for byte in key:
            node = node.setdefault(byte, {})
        node[0] = values[key]

    units: list[int | None] = [None] * _BLOCK
    units[0] = 0
    bases: set[int] = {0}
    first_free = 1
    pending = [(0, root)]
    while pending:
        position, node = pending.pop()
        # Older blocks are nearly full: looking for a gap in them costs more time than the space is worth.
        first_free = max(first_free, len(units) - _RECENT)
        while first_free < len(units) and units[first_free] is not None:
            first_free += 1
        base = _free_base(units, bases, sorted(node), first_free)
        bases.add(base)
        units[position] = (units[position] or 0) | (position ^ base) << 10
        for byte, child in node.items():
            if byte:
                units[base ^ byte] = byte | (_LEAF if 0 in child else 0)
                pending.append((base ^ byte, child))
            else:
                units[base] = _VALUE | child
    return np.array([unit or 0 for unit in units], dtype="<u4").tobytes()


def _free_base(units: list[int | None], bases: set[int], labels: list[int], start: int) -> int:
    """The first base, not used by another node, whose places for all ``labels`` are free; grows ``units``."""
    for place in itertools.count(start):
        if place >= len(units):
            units.extend([None] * _BLOCK)
        base = place ^ labels[0]
        # XOR with a byte stays within the block of 256 that the base is in, so every place exists.
        if units[place] is None and base not in bases and all(units[base ^ label] is None for label in labels):
            return base
    raise AssertionError("unreachable: the array grows until a base is free")
