"""Personal data that a model would learn by heart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from supertune.contracts import Columns, Finding
from supertune.conversations import Message
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, listed, percent, within
from supertune.data.conversation_columns import conversations_in
from supertune.data.pii import KINDS, find_pii, shape
from supertune.data.table import Table

_BETWEEN = "\n\n"


def check_pii(check_input: CheckInput) -> list[Finding]:
    """Find e-mail addresses, telephone and account numbers, keys and the like; none of them is ever shown.

    Names and addresses of people have no form by which they could be told from other words, and are not found.
    """
    findings = []
    for split, table in check_input.splits.items():
        counts: Counter[str] = Counter()
        rows: list[int] = []
        first = ""
        for row, text in enumerate(_texts(table, check_input.columns)):
            if not (spans := find_pii(text)):
                continue
            counts.update(span.kind for span in spans)
            rows.append(row)
            first = first or f"row {table.row_ids[row]}: {shape(text[spans[0].start : spans[0].end])}"
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
                fix="look at the rows: models repeat what they have read. Mask it or put pseudonyms in its place "
                "(docs/personal-data.md); names and postal addresses are not looked for",
            )
        )
    return findings


def _texts(table: Table, columns: Columns) -> Iterator[str]:
    """Everything that is read or learned of each row."""
    if columns.answers == "generated":
        for conversation in conversations_in(table, columns):
            yield _BETWEEN.join(part for message in conversation.messages for part in _parts(message))
    else:
        yield from table.texts(tuple(dict.fromkeys((*columns.text, *columns.negatives))))


def _parts(message: Message) -> Iterator[str]:
    yield message.content
    yield message.reasoning
    for call in message.tool_calls:
        yield from map(str, call.arguments.values())
