"""TextRank: sentences that have words in common with many others, which have words in common with many others.

Source: Mihalcea and Tarau 2004, "TextRank: Bringing Order into Texts", sections 2.2 and 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune.language import words

_DAMPING = 0.85
_STEPS = 200
_CLOSE = 1e-8


def textrank(sentences: Sequence[str]) -> list[int]:
    """The indices of the sentences, the most central first; of equals the first.

    Two sentences are as alike as the number of different words that both have, divided by the sum of the logarithms of
    their numbers of words. Words are jieba's in Chinese, and single characters of other scripts without spaces.
    """
    from scipy.sparse import csr_array

    count = len(sentences)
    if not count:
        return []
    tokens = [words(sentence) for sentence in sentences]
    index = {token: place for place, token in enumerate(dict.fromkeys(token for own in tokens for token in own))}
    kinds = [sorted({index[token] for token in own}) for own in tokens]
    bounds = np.cumsum([0, *map(len, kinds)])
    places = np.array([place for own in kinds for place in own], np.int64)
    has = csr_array((np.ones(len(places)), places, bounds), shape=(count, max(1, len(index))))
    common = (has @ has.T).tocoo()
    sizes = np.log(np.maximum([len(own) for own in tokens], 1))
    apart = common.row != common.col
    rows, columns = common.row[apart], common.col[apart]
    scale = sizes[rows] + sizes[columns]
    # Two sentences of one word each: their logarithms are 0, and they are as alike as they can be.
    weights = common.data[apart] / np.where(scale > 0, scale, 1.0)
    links = csr_array((weights, (rows, columns)), shape=(count, count))
    leaving = np.asarray(links.sum(axis=1)).ravel()
    shares = links.T.multiply(1 / np.where(leaving > 0, leaving, 1.0)).tocsr()
    ranks = np.ones(count)
    for _ in range(_STEPS):
        before, ranks = ranks, (1 - _DAMPING) + _DAMPING * (shares @ ranks)
        if np.abs(ranks - before).max() < _CLOSE:
            break
    # Equal sentences have equal ranks, but for rounding.
    found: list[int] = np.argsort(-ranks.round(6), kind="stable").tolist()
    return found
