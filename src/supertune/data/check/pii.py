"""Personal data that a model would learn by heart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from supertune.contracts import Columns, Finding
from supertune.conversations import Message
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, listed, percent, within
from supertune.data.conversation_columns import conversations_in
from supertune.data.pii import KINDS, find_pii, shape
from supertune.data.table import Table
from supertune.language import join_fields

_KEPT = 256
"""Texts whose findings are kept: many questions are asked of one passage, and long passages take longest."""


def check_pii(check_input: CheckInput) -> list[Finding]:
    """Find e-mail addresses, telephone and account numbers, keys and the like; none of them is ever shown.

    Names and addresses of people have no form by which they could be told from other words, and are not found.
    """
    findings = []
    for split, table in check_input.splits.items():
        counts: Counter[str] = Counter()
        rows: list[int] = []
        first = ""
        for row, fields in enumerate(_fields(table, check_input.columns)):
            if not (found := [item for field in fields for item in _items(field)]):
                continue
            counts.update(kind for kind, _ in found)
            rows.append(row)
            first = first or f"row {table.row_ids[row]}: {found[0][1]}"
        if not rows:
            continue
        kinds = [counted(count, KINDS[kind].one, KINDS[kind].several) for kind, count in counts.most_common()]
        findings.append(
            Finding(
                check="pii",
                severity="warning",
                split=split,
                rows=check_input.row_numbers(split, np.array(rows, np.int64)),
                message=f"{counted(len(rows), 'row')}{within(split)} ({percent(len(rows), len(table))}) "
                f"{'holds' if len(rows) == 1 else 'hold'} what looks like personal data: {listed(kinds)} ({first})",
                fix="look at the rows: models repeat what they read. supertune clean DATA --step pii --out cleaned "
                "masks it (docs/personal-data.md); names and postal addresses are not looked for",
            )
        )
    return findings


@lru_cache(maxsize=_KEPT)
def _items(text: str) -> tuple[tuple[str, str], ...]:
    """Kind and shape of each item in a text."""
    return tuple((span.kind, shape(text[span.start : span.end])) for span in find_pii(text))


def _fields(table: Table, columns: Columns) -> Iterator[list[str]]:
    """The texts of each row: all that is read, and of conversations all that is learned."""
    if columns.answers == "generated":
        for conversation in conversations_in(table, columns):
            yield [part for message in conversation.messages for part in _parts(message)]
        return
    names = tuple(dict.fromkeys((*columns.text, *columns.negatives)))
    for batch in table.batches(columns=names):
        for values in zip(*(batch[name] for name in names), strict=True):
            yield [value if isinstance(value, str) else join_fields([value]) for value in values]


def _parts(message: Message) -> Iterator[str]:
    yield message.content
    yield message.reasoning
    for call in message.tool_calls:
        yield from map(str, call.arguments.values())
