"""Sentences chosen out of a document: which ones a summary would have, how good a choice is, and how many to take.

A choice is worth the mean of the ROUGE-1 and ROUGE-2 F-measures of its sentences with the summary, of several summaries
with the one for which it is best. Pairs of words are those within a sentence: the order of sentences means nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.language import characters_and_words

MOST_SENTENCES = 20
"""Sentences of an extract at most, unless more are asked for."""
_LEAST_GAIN = 1e-9
_IN_COMMON = 3
"""Words in a row that two sentences share where they say the same twice."""
_IN_COMMON_UNSPACED = 5
"""The same of characters of scripts without spaces: three are an everyday phrase."""


@dataclass(frozen=True)
class Length:
    """How much is taken of a document.

    Attributes:
        sentences: At most so many; None: as many as fit.
        characters: At most so many, a line break between sentences counted; None: any number.
        blocking: Pass over a sentence that shares three words in a row, or five characters of Chinese, with one that
            is taken already. Source: Paulus, Xiong and Socher 2018, "A deep reinforced model for abstractive
            summarization", section 2.5; for extracts Liu and Lapata 2019, "Text summarization with pretrained
            encoders".
    """

    sentences: int | None = None
    characters: int | None = None
    blocking: bool = False


@dataclass(frozen=True)
class Ranked:
    """A document whose sentences are ranked.

    Attributes:
        sentences: Its sentences.
        order: Their indices, the best first; what is left out is never taken.
        summaries: The acceptable summaries.
    """

    sentences: Sequence[str]
    order: Sequence[int]
    summaries: Sequence[str] = ()


@dataclass(frozen=True)
class Oracle:
    """The sentences that are as near to a summary as extracts come.

    Attributes:
        chosen: Their indices, in the order of the document; none where no sentence shares a word with a summary.
        value: What they are worth, 0 to 1.
    """

    chosen: tuple[int, ...]
    value: float


def oracle(sentences: Sequence[str], summaries: Sequence[str], most: int = MOST_SENTENCES) -> Oracle:
    """Sentences taken greedily: the one that improves the choice most, until none does; of equals the first.

    What to learn where people wrote summaries in their own words. Source: Nallapati, Zhai and Zhou 2017, "SummaRuNNer",
    section 3 on extractive training; greedily by ROUGE-1 and ROUGE-2 as Liu and Lapata 2019, section 3.2.

    Args:
        sentences: The document's.
        summaries: The acceptable ones; the one that sentences come nearest to counts.
        most: Sentences at most.
    """
    tokens = [characters_and_words(sentence) for sentence in sentences]
    found = (_greedy(_Overlap(tokens, characters_and_words(summary)), most) for summary in summaries)
    return max(found, key=lambda oracle: oracle.value, default=Oracle((), 0.0))


def chosen(ranked: Ranked, length: Length) -> list[int]:
    """The best sentences that fit, in the order of the document.

    A sentence too long for what is left of the characters is passed over; none is ever cut.
    """
    return sorted(_taken(ranked, length))


def best_length(documents: Iterable[Ranked], length: Length, blocking: Sequence[bool]) -> Length:
    """How many sentences, if neither they nor characters are settled, and whether blocked, are worth the most.

    Of equally good ones the fewest, and without blocking.

    Args:
        documents: Ranked by whatever is to choose, with their summaries; those without one do not count.
        length: What is settled.
        blocking: Whether to block: what there is to choose from.

    Returns:
        ``length`` itself where there is nothing to choose by.
    """
    counted = length.sentences is None and length.characters is None
    totals = np.zeros((len(blocking), MOST_SENTENCES if counted else 1))
    known = 0
    for ranked in documents:
        if not ranked.summaries or not ranked.order:
            continue
        known += 1
        tokens = [characters_and_words(sentence) for sentence in ranked.sentences]
        overlaps = [_Overlap(tokens, characters_and_words(summary)) for summary in ranked.summaries]
        for row, blocked in enumerate(blocking):
            taken = _taken(
                ranked, replace(length, sentences=MOST_SENTENCES if counted else length.sentences, blocking=blocked)
            )
            if not taken:
                continue
            worth = np.max([overlap.along(taken) for overlap in overlaps], axis=0)
            # Behind the last one nothing more is taken.
            totals[row] += np.pad(worth, (0, MOST_SENTENCES - len(worth)), mode="edge") if counted else worth[-1]
    if not known:
        return length
    best, count = divmod(int(np.argmax(totals.max() - _LEAST_GAIN < totals.T)), len(blocking))[::-1]
    return replace(length, sentences=count + 1 if counted else length.sentences, blocking=blocking[best])


class _Overlap:
    """What each sentence has of a summary's words, and of the pairs of them."""

    def __init__(self, tokens: Sequence[Sequence[str]], summary: Sequence[str]) -> None:
        self._wanted: list[IntArray] = []
        self._has: list[IntArray] = []
        self._lengths: list[IntArray] = []
        for grams in (_single, _pairs):
            wanted = Counter(grams(summary))
            index = {gram: place for place, gram in enumerate(wanted)}
            has = np.zeros((len(tokens), len(index)), np.int64)
            lengths = np.zeros(len(tokens), np.int64)
            for row, sentence in enumerate(tokens):
                own = grams(sentence)
                lengths[row] = len(own)
                for gram in own:
                    if (place := index.get(gram)) is not None:
                        has[row, place] += 1
            self._wanted.append(np.array(list(wanted.values()), np.int64))
            self._has.append(has)
            self._lengths.append(lengths)

    def along(self, places: Sequence[int]) -> FloatArray:
        """Float64 (places,): what the first, the first two, … of these sentences are worth together."""
        return self._worth(
            [np.cumsum(has[list(places)], axis=0) for has in self._has],
            [np.cumsum(lengths[list(places)]) for lengths in self._lengths],
        )

    def one_more(self, places: Sequence[int]) -> FloatArray:
        """Float64 (sentences,): what these sentences are worth together with each."""
        rows = list(places)
        return self._worth(
            [has + has[rows].sum(axis=0) for has in self._has],
            [lengths + lengths[rows].sum() for lengths in self._lengths],
        )

    def _worth(self, held: Sequence[IntArray], lengths: Sequence[IntArray]) -> FloatArray:
        values = []
        for wanted, has, given in zip(self._wanted, held, lengths, strict=True):
            hits = np.minimum(has, wanted).sum(axis=1)
            values.append(2 * hits / np.maximum(given + wanted.sum(), 1))
        found: FloatArray = np.mean(values, axis=0)
        return found


def _greedy(overlap: _Overlap, most: int) -> Oracle:
    places: list[int] = []
    value = 0.0
    while len(places) < most:
        values = overlap.one_more(places)
        values[places] = -1.0
        if not len(values) or values.max() <= value + _LEAST_GAIN:
            break
        places.append(int(np.argmax(values > values.max() - _LEAST_GAIN)))
        value = float(values[places[-1]])
    return Oracle(tuple(sorted(places)), value)


def _taken(ranked: Ranked, length: Length) -> list[int]:
    """The sentences taken, the best first."""
    taken: list[int] = []
    seen: set[tuple[str, ...]] = set()
    left = float("inf") if length.characters is None else length.characters
    for place in ranked.order:
        if len(taken) == length.sentences:
            break
        size = len(ranked.sentences[place]) + bool(taken)
        if size > left:
            continue
        if length.blocking:
            own = _runs(ranked.sentences[place])
            if own & seen:
                continue
            seen |= own
        taken.append(place)
        left -= size
    return taken


def _runs(sentence: str) -> set[tuple[str, ...]]:
    """Words in a row, or characters where most of the sentence is in a script without spaces."""
    tokens = characters_and_words(sentence)
    unspaced = sum(not token.isascii() for token in tokens) * 2 > len(tokens)
    size = _IN_COMMON_UNSPACED if unspaced else _IN_COMMON
    return set(zip(*(tokens[start:] for start in range(size)), strict=False))


def _single(tokens: Sequence[str]) -> list[object]:
    return list(tokens)


def _pairs(tokens: Sequence[str]) -> list[object]:
    return list(pairwise(tokens))
