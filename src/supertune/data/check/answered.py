"""Answers that stand in a text, and summaries of one, as the other checks and the split see them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import Columns
from supertune.data.check.labels import MISSING, LabelCodes
from supertune.data.question_columns import questions_of
from supertune.data.summary_columns import documents_of
from supertune.data.table import Table


def answered_codes(splits: Mapping[str, Table], columns: Columns) -> LabelCodes:
    """Rows with the same answers, in whatever order, have the same code."""
    known: dict[frozenset[str], int] = {}
    of = {}
    for split, table in splits.items():
        codes = np.full(len(table), MISSING, np.int32)
        for row, asked in enumerate(questions_of(table, columns)):
            if asked.answers is not None:
                own = frozenset(answer.text for answer in asked.answers)
                codes[row] = known.setdefault(own, len(known))
        of[split] = codes
    return LabelCodes(tuple(", ".join(sorted(own)) for own in known), of)


def summary_codes(splits: Mapping[str, Table], columns: Columns) -> LabelCodes:
    """Rows with the same summaries, in whatever order, have the same code."""
    known: dict[frozenset[str], int] = {}
    of = {}
    for split, table in splits.items():
        codes = np.full(len(table), MISSING, np.int32)
        for row, one in enumerate(documents_of(table, columns)):
            if one.summaries is not None:
                codes[row] = known.setdefault(frozenset(one.summaries), len(known))
        of[split] = codes
    return LabelCodes(tuple(", ".join(sorted(own)) for own in known), of)


def answerable_codes(table: Table, columns: Columns) -> LabelCodes:
    """Whether a question has an answer: what rows are divided by, so that every split has its share of both."""
    answers = (asked.answers for asked in questions_of(table, columns))
    codes = np.fromiter((MISSING if a is None else int(bool(a)) for a in answers), np.int32, len(table))
    return LabelCodes((False, True), {"all": codes})
