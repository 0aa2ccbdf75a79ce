"""What any model that answers questions must beat: the sentence that has the most rare words of the question."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from supertune.language import characters_and_words
from supertune.sentences import sentences


class SentenceBaseline:
    """Answers with the sentence of the text that shares the most with the question, rare words counting more.

    Words are runs of Latin letters and digits, and single characters of scripts without spaces, beside pairs of them.
    A shared word counts its inverse frequency among the texts of the training rows, once, divided by the root of the
    sentence's number of words. Of equal sentences the first is taken.
    """

    name = "sentence"

    def __init__(self) -> None:
        self._rarity: dict[str, float] = {}
        self._unknown = 1.0

    def fit(self, texts: Sequence[str]) -> None:
        """Count in how many different texts each word stands."""
        different = set(texts)
        counts = Counter(word for text in different for word in set(_words(text)))
        self._unknown = math.log(1 + len(different)) + 1
        self._rarity = {word: math.log((1 + len(different)) / (1 + count)) + 1 for word, count in counts.items()}

    def predict(self, questions: Sequence[str], texts: Sequence[str]) -> list[str]:
        """The sentence for each question and its text; an empty one where the text has none."""
        return [self._best(question, text) for question, text in zip(questions, texts, strict=True)]

    def _best(self, question: str, text: str) -> str:
        asked = set(_words(question))

        def worth(sentence: str) -> float:
            words = set(_words(sentence))
            shared = sum(self._rarity.get(word, self._unknown) for word in words & asked)
            return shared / math.sqrt(len(words)) if words else 0.0

        return max(sentences(text), key=worth, default="")


def _words(text: str) -> list[str]:
    single = characters_and_words(text)
    # One Chinese character says little, two are mostly a word.
    pairs = [a + b for a, b in pairwise(single) if not (a.isascii() or b.isascii())]
    return single + pairs
