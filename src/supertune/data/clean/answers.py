"""Rows of conversations whose answers are not ones to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, get_args

from pydantic import Field

from supertune.contracts import Columns
from supertune.data.answers import SIGNS
from supertune.data.clean.operator import Selection
from supertune.data.conversation_columns import conversations_in
from supertune.data.table import Table
from supertune.errors import UserError

Sign = Literal["refusals", "echoes", "unfinished", "languages"]
_WHY: Mapping[str, str] = {
    "refusals": "an answer refuses",
    "echoes": "an answer says again what was asked",
    "unfinished": "an answer is not finished",
    "languages": "an answer is in another language than the question",
}


class Answers(Selection):
    """Rows with an answer that refuses, says again what was asked, is cut off, or is in another language.

    Told by how answers begin and end and by their scripts, which is seldom wrong and misses some; see the gate's checks
    of the same names. Only of conversations, prompts with answers and the like: ``--task chat``.
    """

    name: ClassVar[str] = "answers"
    signs: list[Sign] = Field(list(get_args(Sign)), min_length=1, description="what a row is left out for")

    def left_out(self, tables: Mapping[str, Table], columns: Columns) -> Mapping[str, Mapping[int, str]]:
        """See `Selection`.

        Raises:
            UserError: The rows are no conversations.
        """
        if columns.answers != "generated":
            what = "the rows are labelled, and no conversations"
            raise UserError(what, where="step answers", fix="name a task that writes (--task chat), or leave it out")
        return {split: self._of(table, columns) for split, table in tables.items()}

    def _of(self, table: Table, columns: Columns) -> dict[int, str]:
        found = {}
        translated = columns.layout is not None and columns.layout.format == "translation"
        signs = [sign for sign in self.signs if not (translated and sign == "languages")]
        for row, conversation in enumerate(conversations_in(table, columns)):
            sign = next((sign for sign in signs if SIGNS[sign](conversation) is not None), None)
            if sign is not None:
                found[row] = _WHY[sign]
        return found
