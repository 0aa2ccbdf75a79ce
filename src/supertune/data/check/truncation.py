"""Rows that are longer than the model will read."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Finding, IntArray
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, percent, within


def check_truncation(check_input: CheckInput) -> list[Finding]:
    """Find rows with more tokens than ``max_length``. Finds nothing before the rows were tokenised."""
    if check_input.token_lengths is None or check_input.max_length is None:
        return []
    findings = []
    for split, lengths in check_input.token_lengths.items():
        if len(lengths) != len(check_input.splits[split]):
            raise ValueError(f"{len(lengths)} token lengths for {len(check_input.splits[split])} rows of {split}")
        cut = np.flatnonzero(lengths > check_input.max_length)
        if len(cut):
            findings.append(_finding(check_input, split, lengths, cut, check_input.max_length))
    return findings


def _finding(check_input: CheckInput, split: str, lengths: IntArray, cut: IntArray, max_length: int) -> Finding:
    much = len(cut) * 100 > len(lengths)
    longest = int(lengths.max())
    kept_whole, length = ("99 % of the rows", _covering_99_percent(lengths)) if much else ("every row", longest)
    be = "is" if len(cut) == 1 else "are"
    limit = check_input.model_limit
    if limit is not None and length > limit:
        way = f"the model takes at most {limit:,}"
        fix = "shorten the texts, split them, or choose a model that reads further"
        fix += f"; --set model.max_length={limit} keeps the most" if limit > max_length else ""
    else:
        way = f"a max_length of {length:,} would keep {kept_whole} whole"
        fix = f"if what comes late matters: --set model.max_length={length}"
    return Finding(
        check="truncation",
        severity="warning" if much else "info",
        split=split,
        rows=check_input.row_numbers(split, cut),
        message=f"{counted(len(cut), 'row')}{within(split)} ({percent(len(cut), len(lengths))}) {be} longer than "
        f"{max_length:,} tokens and will be cut there; the longest has {longest:,}, and {way}",
        fix=fix,
    )


def _covering_99_percent(lengths: IntArray) -> int:
    """The smallest length that at least 99 % of the rows do not exceed."""
    position = -(-len(lengths) * 99 // 100) - 1
    return int(np.partition(lengths, position)[position])
