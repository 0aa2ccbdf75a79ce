"""How long answers are: one length that too many of them have, and answers far longer or shorter than the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from supertune.contracts import Finding, IntArray
from supertune.conversation_rows import apart
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, percent, within
from supertune.data.conversation_columns import conversations_in
from supertune.language import running_tokens

_FEWEST = 100
"""Answers below which lengths tell nothing."""
_PILED = 5
"""Answers of the greatest length that are no chance, and how many times as many as of the lengths just below it."""
_LONG = 50
"""Units from which on a length can be a limit that was hit: of short answers many are equally long."""
_FENCE = 3.0
"""Quartile distances beyond the quartiles, of the logarithms: Tukey's outer fence (Exploratory Data Analysis, 1977);
of log-normal lengths four in a million are outside of it."""


def check_answer_lengths(check_input: CheckInput) -> list[Finding]:
    """Find lengths at which answers were cut, and answers of an odd length; of each row the last answer counts."""
    if check_input.columns.answers != "generated":
        return []
    return [finding for split in check_input.splits for finding in _of_split(check_input, split)]


def _of_split(check_input: CheckInput, split: str) -> Iterator[Finding]:
    table = check_input.splits[split]
    characters, words = np.zeros(len(table), np.int64), np.zeros(len(table), np.int64)
    for row, conversation in enumerate(conversations_in(table, check_input.columns)):
        answer = None if conversation.plain else apart(conversation)[1]
        if answer is not None and answer.content:
            characters[row], words[row] = len(answer.content), len(running_tokens(answer.content))
    for lengths, unit in ((characters, "characters"), (words, "words (of Chinese: characters)")):
        if len(rows := cut_at_one_length(lengths)):
            yield Finding(
                check="answer-lengths",
                severity="warning",
                split=split,
                rows=check_input.row_numbers(split, rows),
                message=f"{counted(len(rows), 'answer')}{within(split)} ({percent(len(rows), len(table))}) are all "
                f"{int(lengths[rows[0]]):,} {unit} long, and none is longer: they were probably cut there",
                fix="get the whole answers, or leave these rows out: the model would learn to stop like this",
            )
            break
    if len(rows := far_out(words)):
        low, middle, high = np.quantile(words[words > 0], (0.25, 0.5, 0.75))
        shown = f"from {int(words[rows].min()):,} to {int(words[rows].max()):,} words (of Chinese: characters)"
        yield Finding(
            check="answer-lengths",
            severity="info",
            split=split,
            rows=check_input.row_numbers(split, rows),
            message=f"{counted(len(rows), 'answer')}{within(split)} ({percent(len(rows), len(table))}) of odd length: "
            f"{shown}, where half are between {low:,.0f} and {high:,.0f}, median {middle:,.0f}",
            fix="look at them: such an answer is often two rows run together, or a whole page",
        )


def cut_at_one_length(lengths: IntArray) -> IntArray:
    """Ascending indices of the answers that are as long as the longest, if they are too many to be so by chance.

    Args:
        lengths: int64 (answers,); 0 for none.
    """
    known = lengths[lengths > 0]
    if len(known) < _FEWEST or (most := int(known.max())) < _LONG:
        return np.zeros(0, np.int64)
    piled = int(np.count_nonzero(known == most))
    # As many lengths below it as a tenth of it: what is usual for one of them.
    room = max(1, most // 10)
    usual = np.count_nonzero((known < most) & (known >= most - room)) / room
    return np.flatnonzero(lengths == most) if piled >= max(_PILED, _PILED * usual, len(known) / 200) else known[:0]


def far_out(lengths: IntArray) -> IntArray:
    """Ascending indices of the answers outside of Tukey's outer fence of the logarithms of lengths; none of few.

    Args:
        lengths: int64 (answers,); 0 for none.
    """
    answered = lengths > 0
    if answered.sum() < _FEWEST:
        return np.zeros(0, np.int64)
    logs = np.log(np.maximum(lengths, 1))
    low, high = np.quantile(logs[answered], (0.25, 0.75))
    if high <= low:
        return np.zeros(0, np.int64)
    reach = _FENCE * (high - low)
    return np.flatnonzero(answered & ((logs < low - reach) | (logs > high + reach)))
