"""Which words and characters may stand for which: small files made by ``tools/augment_dictionaries.py``.

Every entry is a word or character, a part of speech where there is one, and what may stand in its place, the commonest
first. Where they are from, and under which licences, says ``SOURCES.md`` beside them.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files


@cache
def words(name: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Word → its part of speech, and the words that may stand for it; of ``english`` and ``chinese``."""
    return {word: (kind, tuple(others.split(","))) for word, kind, others in _entries(name)}


@cache
def typed_alike() -> dict[str, tuple[str, ...]]:
    """Chinese word → words that are typed with the same letters of pinyin."""
    return {word: tuple(others.split(",")) for word, others in _entries("input")}


@cache
def characters(name: str) -> dict[str, tuple[str, ...]]:
    """Character → characters that are taken for it; of ``homophones`` and ``look_alikes``."""
    return {character: tuple(others) for character, others in _entries(name)}


def _entries(name: str) -> list[list[str]]:
    packed = files(__name__).joinpath(f"{name}.tsv.gz").read_bytes()
    return [line.split("\t") for line in gzip.decompress(packed).decode().splitlines()]
