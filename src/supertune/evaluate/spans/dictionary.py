"""What any model that finds entities must beat: looking up those that the training rows have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from supertune.evaluate.spans.metrics import Spans
from supertune.language import inside_word

_END = ""
"""Key in the tree of characters under which a whole mention ends; no character is called that."""


class DictionaryBaseline:
    """Finds every mention that is an entity in the training rows, the longest first from left to right.

    A mention has its most frequent label. It is looked up as whole words, and counts only if it is an entity in half
    of the places or more where the training texts have it: "May" is a month more often than a person.
    """

    name = "dictionary"

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}

    def fit(self, texts: Sequence[str], spans: Sequence[Spans]) -> None:
        """Learn from texts and the (start, end, index of the label) of their entities."""
        labels: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for text, own in zip(texts, spans, strict=True):
            for start, end, label in own:
                labels[text[start:end]][label] += 1
        # Equally frequent labels: the first in order, whatever row came first.
        best = {words: min(counts, key=lambda label: (-counts[label], label)) for words, counts in labels.items()}
        self._tree = _tree(best)
        met = Counter(text[start:end] for text in texts for start, end, _ in self._found(text))
        self._tree = _tree({words: label for words, label in best.items() if 2 * labels[words].total() >= met[words]})

    def predict(self, texts: Sequence[str]) -> list[tuple[tuple[int, int, int], ...]]:
        """(start, end, index of the label) of the entities of each text."""
        return [tuple(self._found(text)) for text in texts]

    def _found(self, text: str) -> Iterator[tuple[int, int, int]]:
        place = 0
        while place < len(text):
            match = None if inside_word(text, place) else self._longest(text, place)
            if match is None:
                place += 1
            else:
                yield match
                place = match[1]

    def _longest(self, text: str, start: int) -> tuple[int, int, int] | None:
        node: dict[str, Any] | None = self._tree
        found = None
        for place in range(start, len(text)):
            node = node.get(text[place]) if node is not None else None
            if node is None:
                break
            if _END in node and not inside_word(text, place + 1):
                found = (start, place + 1, node[_END])
        return found


def _tree(mentions: dict[str, int]) -> dict[str, Any]:
    """Mentions as nested dicts, a character at a time."""
    tree: dict[str, Any] = {}
    for words, label in mentions.items():
        node = tree
        for character in words:
            node = node.setdefault(character, {})
        node[_END] = label
    return tree
