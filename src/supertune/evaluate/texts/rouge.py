"""ROUGE: how much of the references' wording a text has, for texts with and without spaces between words.

Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries". Equal to the package ``rouge-score`` without
stemming where no script is written without spaces. There Chinese has no tokens, and every Chinese text scores 0; here
its characters are tokens, or its words on request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from supertune.contracts import IntArray, Outcome
from supertune.evaluate.metric import Metric
from supertune.evaluate.row_means import judged, row_mean
from supertune.language import characters_and_words, words

Tokens = Callable[[str], list[str]]


def rouge(kind: str, *, chinese_words: bool = False) -> Metric:
    """Mean F-measure of each text with the reference for which it is best.

    Args:
        kind: ``rouge1`` and ``rouge2`` for pairs of words, ``rougeL`` for the longest common subsequence, or
            ``rougeLsum`` for the same line by line.
        chinese_words: Chinese in words instead of characters: scores are lower, and depend on how words are told
            apart.
    """
    tokens, unit = (words, "jieba-words") if chinese_words else (characters_and_words, "characters")

    def best(references: tuple[str, ...], answer: str) -> float:
        return max(_KINDS[kind](reference, answer, tokens) for reference in references)

    def impossible(outcome: Outcome) -> str | None:
        if any(tokens(reference) for references in outcome.targets for reference in references):
            return None
        return "ROUGE counts Latin letters, digits and scripts without spaces, and no reference holds any"

    return row_mean(judged(best), lambda _: f"f-measure|chinese:{unit}", impossible=impossible)


def _n_grams(reference: str, answer: str, tokens: Tokens, *, length: int) -> float:
    wanted, given = (_count(tokens(text), length) for text in (reference, answer))
    return _f_measure((wanted & given).total(), wanted.total(), given.total())


def _count(tokens: list[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(length)), strict=False))


def _longest(reference: str, answer: str, tokens: Tokens) -> float:
    wanted, given = tokens(reference), tokens(answer)
    hits = 0
    for row in _common(wanted, given):
        hits = int(row[-1])
    return _f_measure(hits, len(wanted), len(given))


def _longest_by_line(reference: str, answer: str, tokens: Tokens) -> float:
    """For each line of the reference the union of what it has in common with each of the answer's (Lin 2004, 3.2).

    No token counts more often than the other text has it, as in ROUGE 1.5.5.
    """
    if "\n" not in reference and "\n" not in answer:
        return _longest(reference, answer, tokens)
    wanted, given = (_lines(text, tokens) for text in (reference, answer))
    left = Counter(token for line in given for token in line)
    hits = 0
    for line in wanted:
        for index in sorted(set[int]().union(*(_shared(line, other) for other in given))):
            if left[line[index]]:
                left[line[index]] -= 1
                hits += 1
    return _f_measure(hits, sum(map(len, wanted)), sum(map(len, given)))


def _lines(text: str, tokens: Tokens) -> list[list[str]]:
    return [line for line in map(tokens, text.split("\n")) if line]


def _f_measure(hits: int, wanted: int, given: int) -> float:
    if not hits:
        return 0.0
    precision, recall = hits / given, hits / wanted
    return 2 * precision * recall / (precision + recall)


def _common(wanted: list[str], given: list[str]) -> Iterator[IntArray]:
    """Lengths of the longest common subsequence of their beginnings.

    Yields:
        For each beginning of ``wanted``, the empty one first, with each of ``given``: int64 (given + 1,).
    """
    index = {token: number for number, token in enumerate(dict.fromkeys(wanted))}
    one, two = (np.array([index.get(token, -1) for token in tokens], dtype=np.int64) for tokens in (wanted, given))
    row = np.zeros(len(two) + 1, dtype=np.int64)
    yield row
    for token in one:
        # One more than without both last tokens where they are equal, else the best without one of them.
        best = np.maximum(row[1:], row[:-1] + (two == token))
        row = np.concatenate([row[:1], np.maximum.accumulate(best)])
        yield row


def _shared(wanted: list[str], given: list[str]) -> list[int]:
    """Where in ``wanted`` one of the longest common subsequences lies; of equals the one that the package takes."""
    table = [row.tolist() for row in _common(wanted, given)]
    found, row, column = [], len(wanted), len(given)
    while row and column:
        if wanted[row - 1] == given[column - 1]:
            row, column = row - 1, column - 1
            found.append(row)
        elif table[row][column - 1] > table[row - 1][column]:
            column -= 1
        else:
            row -= 1
    return found


_KINDS: dict[str, Callable[[str, str, Tokens], float]] = {
    "rouge1": partial(_n_grams, length=1),
    "rouge2": partial(_n_grams, length=2),
    "rougeL": _longest,
    "rougeLsum": _longest_by_line,
}
