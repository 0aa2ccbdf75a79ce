"""Passages found by their words: BM25."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.files import read_json, write_text
from supertune.language import search_terms
from supertune.passages.ranking import Found, best
from supertune.passages.vectors import damaged, open_array

K1, B = 1.2, 0.75
"""Within what Robertson and Zaragoza 2009, section 3.5, name as good for many collections, and Lucene's defaults."""

_TERMS = "terms.json"


@dataclass(frozen=True, eq=False)
class Bm25:
    """An inverted index whose postings hold what each term is worth in each passage that has it.

    A term that stands ``f`` times in a passage of ``l`` terms is worth ::

        ln(1 + (N - n + 0.5) / (n + 0.5)) · f / (f + k1 · (1 - b + b · l / average l))

    with ``N`` passages, ``n`` of which have it, and a passage's score is the sum over the terms of the query, as often
    as they stand in it. This is Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond",
    equation 3.15, with the 1 within the logarithm by which Lucene keeps words that are in most passages from counting
    against them. Terms are those of `supertune.language.search_terms`.

    Attributes:
        numbers: Term → its number.
        offsets: int64 (terms + 1,): postings of term t are those from ``offsets[t]`` to ``offsets[t + 1]``.
        passages: int32 (postings,): numbers of passages, rising within a term.
        worth: float32 (postings,).
        count: Passages in all.
        k1: How slowly a term that stands there again stops adding to the score.
        b: How much long passages are held to account for their length, 0 to 1.
    """

    numbers: dict[str, int]
    offsets: IntArray
    passages: NDArray[np.int32]
    worth: NDArray[np.float32]
    count: int
    k1: float = K1
    b: float = B

    @staticmethod
    def build(texts: Iterable[str], *, k1: float = K1, b: float = B) -> Bm25:
        """Read the passages once, in order; they are numbered from 0.

        Memory grows with the postings: at its peak some 40 bytes for each term of each passage.
        """
        numbers: dict[str, int] = {}
        terms, often, lengths, different = array("i"), array("i"), array("i"), array("i")
        for text in texts:
            found = Counter(search_terms(text))
            lengths.append(found.total())
            different.append(len(found))
            terms.extend(numbers.setdefault(term, len(numbers)) for term in found)
            often.extend(found.values())
        return _weighed(numbers, *map(_array, (terms, often, lengths, different)), k1=k1, b=b)

    def search(self, queries: Sequence[str], count: int) -> Found:
        """The ``count`` passages with the highest scores; those that share no term with the query are not found."""
        scores = np.zeros(self.count, np.float32)
        at, ids, values = [], [], []
        for number, query in enumerate(queries):
            for term, often in Counter(search_terms(query)).items():
                if (place := self.numbers.get(term)) is not None:
                    postings = slice(self.offsets[place], self.offsets[place + 1])
                    scores[self.passages[postings]] += np.float32(often) * self.worth[postings]
            high = _highest(scores, count)
            at.append(np.full(len(high), number))
            ids.append(high)
            values.append(scores[high])
            scores[:] = 0
        if not at:
            return Found.none(0, count)
        return best(len(queries), count, *map(np.concatenate, (at, ids, values)))

    def save(self, folder: Path) -> None:
        """Write ``offsets.npy``, ``passages.npy``, ``worth.npy`` and ``terms.json`` into a new folder."""
        folder.mkdir()
        for name in ("offsets", "passages", "worth"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        about = {"count": self.count, "k1": self.k1, "b": self.b, "terms": list(self.numbers)}
        write_text(folder / _TERMS, json.dumps(about, ensure_ascii=False))

    @staticmethod
    def open(folder: Path) -> Bm25:
        """Open what `save` wrote; postings are read where they are needed.

        Raises:
            UserError: A file is missing or damaged.
        """
        about = read_json(folder / _TERMS)
        try:
            numbers = {str(term): number for number, term in enumerate(about["terms"])}
            count, k1, b = int(about["count"]), float(about["k1"]), float(about["b"])
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(folder / _TERMS) from error
        offsets = np.asarray(open_array(folder / "offsets.npy", (len(numbers) + 1,), "int64"))
        postings = int(offsets[-1])
        passages = open_array(folder / "passages.npy", (postings,), "int32")
        worth = open_array(folder / "worth.npy", (postings,), "float32")
        return Bm25(numbers, offsets, passages, worth, count, k1, b)


def _array(values: array[int]) -> NDArray[np.int32]:
    return np.frombuffer(values, np.int32) if values else np.zeros(0, np.int32)


def _weighed(
    numbers: dict[str, int],
    terms: NDArray[np.int32],
    often: NDArray[np.int32],
    lengths: NDArray[np.int32],
    different: NDArray[np.int32],
    *,
    k1: float,
    b: float,
) -> Bm25:
    """From terms passage by passage to passages term by term.

    Args:
        numbers: Term → its number.
        terms: (postings,): numbers of the terms of each passage, passage by passage.
        often: (postings,): how often each stands there.
        lengths: (passages,): terms in each passage.
        different: (passages,): different terms in each passage.
        k1: See `Bm25`.
        b: See `Bm25`.
    """
    count = len(lengths)
    having = np.bincount(terms, minlength=len(numbers))
    rarity = np.log1p((count - having + 0.5) / (having + 0.5))
    average = float(lengths.mean()) if lengths.any() else 1.0
    order: NDArray[Any] = np.argsort(terms, kind="stable")
    passages = np.repeat(np.arange(count, dtype=np.int32), different)[order]
    offsets = np.concatenate([[0], np.cumsum(having)]).astype(np.int64)
    times = often[order].astype(np.float32)
    damped = times + (k1 * (1 - b + b * lengths / average)).astype(np.float32)[passages]
    worth = rarity.astype(np.float32)[terms[order]] * times / damped
    return Bm25(numbers, offsets, passages, worth.astype(np.float32), count, k1, b)


def _highest(scores: NDArray[np.float32], count: int) -> IntArray:
    """Passages with scores above 0 that are among the ``count`` highest, with all that equal the last of them."""
    above = np.flatnonzero(scores)
    if len(above) <= count:
        return above
    values = scores[above]
    place = len(values) - count
    return np.asarray(above[values >= np.partition(values, place)[place]])
