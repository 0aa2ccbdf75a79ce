"""What a row is to be answered with as one small number, whatever kind of answers the columns hold."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Columns
from supertune.data.check.answered import answerable_codes, answered_codes, generated_codes, summary_codes
from supertune.data.check.entity_codes import entity_codes
from supertune.data.check.labels import LabelCodes, label_codes
from supertune.data.check.members import rarest_labels, set_codes
from supertune.data.check.numbers import number_codes
from supertune.data.table import Table


def answer_codes(splits: Mapping[str, Table], columns: Columns) -> LabelCodes:
    """Rows with the same answer have the same code."""
    if columns.answers == "numbers":
        return number_codes(splits, columns.labels)
    if columns.answers == "sets" and columns.labels:
        return set_codes(splits, columns)
    if columns.answers == "answers" and columns.labels:
        return answered_codes(splits, columns)
    if columns.answers == "texts" and columns.labels:
        return summary_codes(splits, columns)
    if columns.answers == "spans" and columns.labels:
        return entity_codes(splits, columns)
    if columns.answers == "generated":
        return generated_codes(splits, columns)
    return label_codes(splits, columns.label)


def stratum_codes(table: Table, columns: Columns) -> LabelCodes:
    """What rows are divided by when they are split: their class, their rarest label, or whether there is an answer.

    Nothing for numbers, summaries, rankings and conversations.
    """
    if columns.answers in ("sets", "spans") and columns.labels:
        return rarest_labels(table, columns)
    if columns.answers == "answers" and columns.labels:
        return answerable_codes(table, columns)
    without = ("numbers", "texts", "ranking", "generated")
    return label_codes({"all": table}, None if columns.answers in without else columns.label)
