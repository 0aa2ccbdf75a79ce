"""Exact match and F1 of short answers by the rules of SQuAD: for English, and languages with spaces between words.

Source: Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", section 6.1; 2018, "Know
What You Don't Know", for questions without an answer.
"""

from __future__ import annotations

import re
import string
from collections import Counter

from supertune.evaluate.metric import Metric
from supertune.evaluate.row_means import judged, row_mean

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match() -> Metric:
    """Share of rows whose answer is one of the references, but for case, articles, ASCII punctuation and spaces."""
    return row_mean(judged(_exact), lambda _: "rules:squad")


def f1() -> Metric:
    """Mean of the F1 of each answer's words, as a bag, with the reference for which it is best."""
    return row_mean(judged(_best_f1), lambda _: "rules:squad")


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation and the articles a, an, the, white space as single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _exact(references: tuple[str, ...], answer: str) -> float:
    return float(normalised(answer) in _acceptable(references))


def _best_f1(references: tuple[str, ...], answer: str) -> float:
    given = normalised(answer).split()
    return max(_overlap(reference.split(), given) for reference in _acceptable(references))


def _acceptable(references: tuple[str, ...]) -> list[str]:
    """Those of which something is left; where there are none, no answer is the right answer."""
    return [left for left in map(normalised, references) if left] or [""]


def _overlap(wanted: list[str], given: list[str]) -> float:
    if not wanted or not given:
        return float(wanted == given)
    common = sum((Counter(wanted) & Counter(given)).values())
    if not common:
        return 0.0
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
