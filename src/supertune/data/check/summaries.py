"""Summaries that nothing can be learned from: of other documents, of a single sentence, or as long as a document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from supertune.contracts import Finding, Severity
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent, within
from supertune.data.summary_columns import documents_of
from supertune.language import characters_and_words, is_blank, shorten
from supertune.sentences import line_spans, sentence_spans
from supertune.summary_texts import Summarised

_SHOWN_WIDTH = 40
_FOREIGN = 0.25
"""Share of a summary's words that stand in the document, below which it is of another one."""
_ENOUGH = 5
"""Words of a summary from which that share says something."""


@dataclass(frozen=True)
class _Kind:
    """Something that is wrong with summaries."""

    found: Callable[[Summarised], bool]
    severity: Callable[[int, int, bool], Severity]
    what: Callable[[int], str]
    fix: str


def check_summaries(check_input: CheckInput) -> list[Finding]:
    """Find summaries that have hardly a word of their document, or as many as it, and documents of one sentence.

    A file whose columns have slipped by a row shows in the first; more than a twentieth of them in the rows to learn
    from is an error.
    """
    if check_input.columns.answers != "texts" or not check_input.columns.labels:
        return []
    findings = []
    for split, table in check_input.splits.items():
        rows: list[list[int]] = [[] for _ in _KINDS]
        shown: list[str] = ["" for _ in _KINDS]
        for row, one in enumerate(documents_of(table, check_input.columns)):
            if is_blank(one.document):
                continue
            for place, kind in enumerate(_KINDS):
                if kind.found(one):
                    shown[place] = shown[place] or shorten(
                        one.summaries[0] if one.summaries else one.document, _SHOWN_WIDTH
                    )
                    rows[place].append(row)
        for kind, own, example in zip(_KINDS, rows, shown, strict=True):
            if own:
                findings.append(_finding(check_input, split, kind, own, example))
    return findings


def _finding(check_input: CheckInput, split: str, kind: _Kind, rows: Sequence[int], example: str) -> Finding:
    table = check_input.splits[split]
    learned = split == check_input.training_split
    return Finding(
        check="summaries",
        severity=kind.severity(len(rows), len(table), learned),
        split=split,
        rows=check_input.row_numbers(split, np.array(rows)),
        message=f"{counted(len(rows), 'row')}{within(split)} ({percent(len(rows), len(table))}) {kind.what(len(rows))} "
        f"(row {table.row_ids[rows[0]]}: {example!r})",
        fix=kind.fix,
    )


def _of_another(one: Summarised) -> bool:
    """Whether every summary has hardly a word of the document; of Chinese pairs of characters count."""
    if not one.summaries:
        return False
    there = _words(one.document)
    shares = [len(words & there) / len(words) for text in one.summaries if len(words := _words(text)) >= _ENOUGH]
    return bool(shares) and max(shares) < _FOREIGN


def _words(text: str) -> set[str]:
    tokens = characters_and_words(text)
    words = {token for token in tokens if token.isascii()}
    return words | {one + other for one, other in pairwise(tokens) if not (one.isascii() or other.isascii())}


def _as_long(one: Summarised) -> bool:
    return bool(one.summaries) and min(map(len, one.summaries or ())) >= len(one.document)


def _of_one_sentence(one: Summarised) -> bool:
    return bool(one.summaries) and max(len(sentence_spans(one.document)), len(line_spans(one.document))) < 2


def _empty(one: Summarised) -> bool:
    return one.summaries is None


def _error_of_many(count: int, rows: int, learned: bool) -> Severity:
    return "error" if learned and more_than_one_in_twenty(count, rows) else "warning"


_KINDS = (
    _Kind(
        _of_another,
        _error_of_many,
        lambda count: (
            f"{'has a summary' if count == 1 else 'have summaries'} with fewer than one in four of its words in "
            "the document: extracts cannot come near it"
        ),
        "see whether columns have slipped by a row, or are in two languages; leave these rows out otherwise",
    ),
    _Kind(
        _as_long,
        lambda count, rows, learned: "warning",
        lambda count: f"{'has a summary' if count == 1 else 'have summaries'} as long as the document or longer",
        "see whether --text and --label are exchanged; leave these rows out otherwise",
    ),
    _Kind(
        _of_one_sentence,
        lambda count, rows, learned: "warning" if count * 2 > rows else "info",
        lambda count: (
            f"{'has a document' if count == 1 else 'have documents'} of one sentence, of which nothing can be chosen"
        ),
        "nothing, if they are few; a document needs line breaks, or marks at the ends of its sentences",
    ),
    _Kind(
        _empty,
        lambda count, rows, learned: "warning",
        lambda count: (
            f"{'has' if count == 1 else 'have'} an empty list of summaries, and "
            f"{'is' if count == 1 else 'are'} neither learned from nor scored"
        ),
        "write a summary, or leave these rows out",
    ),
)
