"""Answers in texts and conversations, and summaries, as the other checks and the split see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

import numpy as np

from supertune.contracts import Columns
from supertune.conversation_rows import apart
from supertune.data.check.labels import MISSING, LabelCodes
from supertune.data.conversation_columns import conversations_in
from supertune.data.question_columns import questions_of
from supertune.data.summary_columns import documents_of
from supertune.data.table import Table
from supertune.language import fold


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


def generated_codes(splits: Mapping[str, Table], columns: Columns) -> LabelCodes:
    """Conversations whose last answers are the same have the same code; of the answers only a digest is kept."""
    known: dict[str, int] = {}
    of = {}
    for split, table in splits.items():
        codes = np.full(len(table), MISSING, np.int32)
        for row, conversation in enumerate(conversations_in(table, columns)):
            answer = apart(conversation)[1]
            if answer is not None:
                said = json.dumps([fold(answer.content), [(call.name, call.arguments) for call in answer.tool_calls]])
                digest = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
                codes[row] = known.setdefault(digest, len(known))
        of[split] = codes
    return LabelCodes(tuple(known), of)


def answerable_codes(table: Table, columns: Columns) -> LabelCodes:
    """Whether a question has an answer: what rows are divided by, so that every split has its share of both."""
    answers = (asked.answers for asked in questions_of(table, columns))
    codes = np.fromiter((MISSING if a is None else int(bool(a)) for a in answers), np.int32, len(table))
    return LabelCodes((False, True), {"all": codes})
