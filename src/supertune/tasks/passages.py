"""Documents as token windows of whole sentences: every sentence in one, behind some of what comes before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, IntArray, Rows
from supertune.sentences import Part
from supertune.summary_texts import Unit, parts_of
from supertune.tasks.offsets import OUTSIDE, Located, located
from supertune.tasks.tokenise import text_portions

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

MOST = 64
"""Sentences of a window at most, so that what is kept of each is of one size."""
CONTEXT = 4
"""A window repeats what came before it, up to one of so many parts of its room."""
_NONE = 0
"""Number of no sentence: of special tokens, padding, and what is only repeated."""


@dataclass(frozen=True)
class _Passage:
    """A window.

    Attributes:
        begin: Its first token in the document, of those that are repeated.
        own: Its first token that is not.
        end: Behind its last.
        cut: Tokens of its only sentence that it has no room for.
    """

    begin: int
    own: int
    end: int
    cut: int


def passage_batches(
    rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase, max_length: int, unit: Unit
) -> Iterator[Features]:
    """Documents as windows of whole sentences, one after the other, several items per row where the text is long.

    Token columns: ``input_ids``; ``begins`` and ``ends`` int32, the characters of the text that a token stands for (-1
    outside it); ``sentences`` int32, 1 for the tokens of the document's first sentence and so on, 0 for those that no
    sentence is scored by. A sentence with more tokens than there is room for is cut, and `Features.full_lengths` counts
    what was cut. Comes in pieces of at most 1,024 rows, at least one.
    """
    before, after = _frame(tokenizer)
    room = max(1, max_length - len(before) - len(after))
    first = 0
    for portion in text_portions(rows, columns):
        texts = [text for (text,) in portion]
        found = located(texts, tokenizer)
        documents = [(tokens, parts_of(text, unit)) for text, tokens in zip(texts, found, strict=True)]
        yield _features(documents, before, after, room, first)
        first += len(portion)


def passage_lengths(
    rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase, max_length: int, unit: Unit
) -> Iterator[IntArray]:
    """The tokens of each row's longest window, with what was cut of its sentence; one array per piece."""
    first = 0
    for piece in passage_batches(rows, columns, tokenizer, max_length, unit):
        count = int(piece.rows[-1]) + 1 - first if len(piece) else 0
        longest = np.zeros(count, np.int64)
        np.maximum.at(longest, piece.rows - first, piece.full_lengths)
        yield longest
        first += count


def sentence_numbers(tokens: Located, parts: Sequence[Part]) -> IntArray:
    """int64 (tokens,): the index of the sentence that each token is of, never falling; 0 where there is no sentence.

    A token that stands for no character goes with the one before it.
    """
    if not parts:
        return np.zeros(len(tokens), np.int64)
    starts = np.array([start for start, _ in parts], np.int64)
    known = np.where(tokens.begins == OUTSIDE, -1, tokens.begins).astype(np.int64)
    places = np.searchsorted(starts, np.maximum.accumulate(known), side="right") - 1
    return np.maximum(places, 0)


def sentence_scores(logits: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token scores as scores of sentences: the mean over the tokens of each.

    Args:
        logits: float (items, tokens).
        numbers: int64 (items, tokens): of the sentence that each token is of; the numbers of an item follow each other.

    Returns:
        Scores float32 (items, 64); their numbers int64 of that shape, 0 where there is none; and which tokens belong to
        each, float32 (items, 64, tokens).
    """
    import torch

    far = torch.iinfo(numbers.dtype).max
    first = numbers.masked_fill(numbers == _NONE, far).amin(dim=1, keepdim=True)
    slots = torch.arange(MOST, device=numbers.device)
    # A product and no scattered sum: that would not add in the same order every time on every device.
    of = ((numbers - first).unsqueeze(1) == slots.view(1, -1, 1)) & (numbers != _NONE).unsqueeze(1)
    members = of.float()
    counts = members.sum(dim=2)
    scores = (members @ logits.float().unsqueeze(2)).squeeze(2) / counts.clamp(min=1)
    found = torch.where(counts > 0, first.clamp(max=far - MOST) + slots, _NONE)
    return scores, found, members


def scores_by_row(
    outputs: NDArray[np.float32], features: Features
) -> Iterator[tuple[int, IntArray, NDArray[np.float32]]]:
    """For each row in order the row, the indices of its sentences that have a score, and their scores.

    Args:
        outputs: float32 (items, 64, 2): number (1 for the first sentence, 0 for none) and score.
        features: The items; the windows of a row may stand anywhere.
    """
    order = np.argsort(features.rows, kind="stable")
    rows, firsts = np.unique(features.rows[order], return_index=True)
    for row, items in zip(rows, np.split(order, firsts[1:]), strict=True):
        found = outputs[items].reshape(-1, 2)
        found = found[found[:, 0] > _NONE]
        found = found[np.argsort(found[:, 0], kind="stable")]
        yield int(row), found[:, 0].astype(np.int64) - 1, found[:, 1]


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The special tokens that the tokenizer puts before and behind a text."""
    called = tokenizer("a")
    ids = np.array(called["input_ids"], np.int32)
    inside = np.flatnonzero([side is not None for side in called.sequence_ids()])
    return ids[: inside[0]], ids[inside[-1] + 1 :]


def _passages(numbers: IntArray, room: int) -> list[_Passage]:
    """Windows of at most ``room`` tokens over a document's, each with as many whole sentences as fit."""
    if not len(numbers):
        return [_Passage(0, 0, 0, 0)]
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1, [len(numbers)]])
    found, sentence = [], 0
    while sentence < len(bounds) - 1:
        own = int(bounds[sentence])
        size = int(bounds[sentence + 1]) - own
        if size > room:
            found.append(_Passage(own, own, own + room, size - room))
            sentence += 1
            continue
        # Whole sentences before it, as many as take no more than their share, and leave room for the next one.
        least = own - min(room // CONTEXT, room - size)
        begin = int(bounds[np.searchsorted(bounds[: sentence + 1], least)])
        last = int(np.searchsorted(bounds, begin + room, side="right")) - 1
        last = min(last, _farthest(numbers, bounds, sentence))
        found.append(_Passage(begin, own, int(bounds[last]), 0))
        sentence = last
    return found


def _farthest(numbers: IntArray, bounds: IntArray, sentence: int) -> int:
    """The bound up to which the numbers of sentences stay within one window's."""
    heads = numbers[bounds[sentence : min(sentence + MOST + 1, len(bounds) - 1)]]
    return sentence + int(np.searchsorted(heads, heads[0] + MOST))


def _features(
    documents: Sequence[tuple[Located, list[Part]]],
    before: NDArray[np.int32],
    after: NDArray[np.int32],
    room: int,
    first: int,
) -> Features:
    columns: dict[str, list[NDArray[np.int32]]] = {"input_ids": [], "begins": [], "ends": [], "sentences": []}
    around = {"input_ids": (before, after)}
    lengths, rows, full = [], [], []
    for row, (tokens, parts) in enumerate(documents, first):
        numbers = sentence_numbers(tokens, parts)
        for passage in _passages(numbers, room):
            part = slice(passage.begin, passage.end)
            scored = np.where(np.arange(passage.begin, passage.end) >= passage.own, numbers[part] + 1, _NONE)
            inside = {
                "input_ids": tokens.ids[part],
                "begins": tokens.begins[part],
                "ends": tokens.ends[part],
                "sentences": scored.astype(np.int32) if parts else np.zeros(len(scored), np.int32),
            }
            for name, own in inside.items():
                blank = _NONE if name == "sentences" else OUTSIDE
                outer = around.get(name) or tuple(np.full(len(side), blank, np.int32) for side in (before, after))
                columns[name] += [outer[0], own, outer[1]]
            lengths.append(len(before) + passage.end - passage.begin + len(after))
            rows.append(row)
            full.append(lengths[-1] + passage.cut)
    nothing = [np.zeros(0, np.int32)]
    return Features(
        {name: np.concatenate(nothing + flat) for name, flat in columns.items()},
        np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(lengths, np.int64))]),
        {},
        np.array(rows, np.int64),
        np.array(full, np.int64),
    )
