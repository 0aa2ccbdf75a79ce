"""Where in their documents sentences are taken from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from supertune.contracts import Histogram

_BINS = 10
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Where in the documents sentences are taken from",
        "axis": "place in the document (0: its beginning, 1: its end)",
        "truth": "nearest to the summaries",
        "given": "this model",
        "caption": "A model that has only learned that beginnings matter takes from the left alone. {truth:.1f} "
        "sentences of a document come nearest to its summary, the model takes {given:.1f}.",
    },
    "zh": {
        "title": "句子取自文中何处",
        "axis": "在文中的位置（0 为开头，1 为结尾）",
        "truth": "最接近摘要的句子",
        "given": "本模型",
        "caption": "若模型只学到“开头重要”，取出的句子会集中在左侧。最接近摘要的句子平均每篇 {truth:.1f} 句，"
        "模型平均取 {given:.1f} 句。",
    },
}


def places_taken(
    truth: Sequence[Sequence[int]], given: Sequence[Sequence[int]], sizes: Sequence[int], *, language: str = "en"
) -> Histogram:
    """The places of the sentences that a greedy choice by ROUGE takes, beside those that the model takes.

    Args:
        truth: For each document the indices of the sentences nearest to its summary.
        given: For each document the indices of those that were taken.
        sizes: Sentences of each document.
        language: ``en`` or ``zh``.
    """
    words = _WORDS[language]
    edges = np.linspace(0, 1, _BINS + 1)

    def counts(taken: Sequence[Sequence[int]]) -> list[int]:
        # The middle of a sentence, so that the only one of a document is in its middle.
        places = [(place + 0.5) / size for own, size in zip(taken, sizes, strict=True) for place in own]
        found: list[int] = np.histogram(places, edges)[0].tolist()
        return found

    means = {name: float(np.mean([len(own) for own in taken])) for name, taken in (("truth", truth), ("given", given))}
    groups = {words["truth"]: counts(truth), words["given"]: counts(given)}
    return Histogram(words["title"], words["axis"], edges.tolist(), groups, caption=words["caption"].format(**means))
