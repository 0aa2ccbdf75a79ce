"""From start and end scores of tokens to spans of characters: the best few of each window, then of each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features, FloatArray, IntArray

if TYPE_CHECKING:
    import torch

NOTHING = -1e30
"""Score of a place in a list of spans that there is no span for: finite, so that differences of scores exist."""


@dataclass(frozen=True)
class Pointed:
    """What the windows of a row point to.

    Attributes:
        row: Index of the row.
        nothing: Score of there being no answer: the least of all windows, since one that holds none says so.
        spans: (score, first character, behind the last) of different spans, the best first.
    """

    row: int
    nothing: float
    spans: Sequence[tuple[float, int, int]]

    @property
    def gap(self) -> float:
        """How much surer it is that there is no answer than of the best one; infinite where there is no span."""
        return self.nothing - self.spans[0][0] if self.spans else float("inf")


def best_spans(
    scores: torch.Tensor, begins: torch.Tensor, ends: torch.Tensor, *, longest: int, count: int
) -> torch.Tensor:
    """The best spans of each window, by the sum of the scores of their first and last token.

    Args:
        scores: float (items, tokens, 2): how much each token looks like the first of the answer, and like the last.
        begins: int64 (items, tokens): first character of each token.
        ends: int64 (items, tokens): behind its last; not more than ``begins`` outside the text.
        longest: Tokens of a span at most.
        count: Spans to keep.

    Returns:
        float32 (items, 1 + count, 3): score, first character and behind the last. The first of each item is the score
        of there being no answer, which the first token stands for, with -1 and -1; places that no span is left for
        have the score `NOTHING`.
    """
    import torch

    scores = scores.float()
    items, tokens = begins.shape
    inside = ends > begins
    first = scores[..., 0].masked_fill(~inside, NOTHING)
    last = scores[..., 1].masked_fill(~inside, NOTHING)
    reach = min(longest, tokens)
    # (items, tokens, reach): the end scores of the tokens from each one on.
    following = torch.nn.functional.pad(last, (0, reach - 1), value=NOTHING).unfold(1, reach, 1)
    sums = (first.unsqueeze(2) + following).flatten(1)
    values, places = sums.topk(min(count, sums.shape[1]), dim=1)
    start = places // reach
    end = (start + places % reach).clamp(max=tokens - 1)
    found = torch.stack([values, begins.gather(1, start).float(), ends.gather(1, end).float()], dim=2)
    none = found[..., :1] <= NOTHING / 2
    found = torch.where(none, found.new_tensor([NOTHING, -1.0, -1.0]), found)
    kept = found.new_tensor([NOTHING, -1.0, -1.0]).repeat(items, 1 + count, 1)
    kept[:, 0, 0] = scores[:, 0, 0] + scores[:, 0, 1]
    kept[:, 1 : 1 + found.shape[1]] = found
    return kept


def pointed(outputs: NDArray[Any], features: Features) -> Iterator[Pointed]:
    """What each row's windows point to together, rows in order.

    The score of a span is its best in any window; equal scores are told apart by which span begins, and then ends,
    first.

    Args:
        outputs: float32 (items, 1 + count, 3), from `best_spans`.
        features: The items; the windows of a row may stand anywhere.
    """
    order = np.argsort(features.rows, kind="stable")
    rows, firsts = np.unique(features.rows[order], return_index=True)
    for row, items in zip(rows, np.split(order, firsts[1:]), strict=True):
        found = outputs[items, 1:].reshape(-1, 3).astype(np.float64)
        found = found[found[:, 0] > NOTHING / 2]
        found = found[np.lexsort((found[:, 2], found[:, 1], -found[:, 0]))]
        spans: dict[tuple[int, int], float] = {}
        for score, start, end in found:
            spans.setdefault((int(start), int(end)), float(score))
        yield Pointed(int(row), float(outputs[items, 0, 0].min()), [(score, *span) for span, score in spans.items()])


def best_threshold(gaps: FloatArray, values: FloatArray, answerable: NDArray[np.bool_]) -> float:
    """The gap up to which the best span is to be the answer, so that the mean value of all answers is the highest.

    A question without an answer is worth 1 if none is given, and 0 otherwise; one with an answer what its best span
    is worth, and 0 if none is given. The threshold lies in the middle between the two gaps that it parts, so that a
    little rounding changes nothing. Of equally good ones the one that answers the most is taken.

    Args:
        gaps: (rows,) how much surer it is that there is no answer; infinite where there is no span.
        values: (rows,) what the best span is worth, 0 to 1.
        answerable: (rows,) whether there is an answer.

    Source: Rajpurkar et al. 2018, "Know What You Don't Know: Unanswerable Questions for SQuAD", section 5.1, and its
    evaluation script's ``find_best_thresh``.
    """
    known = np.isfinite(gaps)
    order = np.argsort(gaps[known], kind="stable")
    ordered = gaps[known][order]
    if not len(ordered):
        return 0.0
    gains = np.where(answerable, values, -1.0)[known][order]
    totals = np.concatenate([[0.0], np.cumsum(gains)])
    # Rows of the same gap are answered together.
    apart = np.concatenate([[True], np.diff(ordered) > 0, [True]])
    totals = np.where(apart, totals, -np.inf)
    best = len(totals) - 1 - int(np.argmax(totals[::-1]))
    if best == 0:
        return float(ordered[0]) - 1.0
    return float(ordered[-1]) + 1.0 if best == len(ordered) else float(ordered[best - 1] + ordered[best]) / 2


def token_positions(features: Features, spans: IntArray) -> IntArray:
    """int64 (items, 2): the first and the last token of each item's span; -1, -1 where it is not whole in the item.

    Args:
        features: Windows, with ``begins`` and ``ends`` of each token.
        spans: int64 (items, 2): first character and behind the last; negative for no span.
    """
    if not len(features):
        return np.zeros((0, 2), np.int64)
    begins, ends = features.tokens["begins"], features.tokens["ends"]
    lengths = features.lengths
    start, end = (np.repeat(spans[:, side], lengths) for side in (0, 1))
    place = np.arange(len(begins)) - np.repeat(features.offsets[:-1], lengths)
    inside = ends > begins
    over = inside & (begins < end) & (ends > start)

    def per_item(combine: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = combine.reduceat(values, features.offsets[:-1])
        return found

    far = np.iinfo(np.int64).max
    first = per_item(np.minimum, np.where(over, place, far))
    last = per_item(np.maximum, np.where(over, place, -1))
    # A window that begins or ends within the span holds only a part of it.
    whole = per_item(np.logical_or, inside & (begins <= start)) & per_item(np.logical_or, inside & (ends >= end))
    whole &= (last >= 0) & (spans[:, 0] >= 0)
    return np.where(whole[:, None], np.stack([first, last], axis=1), -1)
