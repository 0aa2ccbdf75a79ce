"""Rows as the model will see them, before any training: which pieces carry loss, and what is cut off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supertune.config import WRITING, Config
from supertune.console import Console
from supertune.contracts import Columns
from supertune.conversation_rows import Fault, conversations_or_faults, said
from supertune.data import Table
from supertune.language import guess_language
from supertune.models import load_tokenizer
from supertune.recipes.inspecting.inspection import Inspection
from supertune.recipes.inspecting.texts import text_rows
from supertune.recipes.inspecting.written import written_rows
from supertune.recipes.rows import find_columns, read_all, sample_texts
from supertune.recipes.start import find_max_length, find_model

__all__ = ["Inspection", "inspect"]

_FOR_LANGUAGE = 4000
"""Rows looked at to tell the language."""


def inspect(config: Config, data: object = None, *, rows: int, console: Console) -> Inspection:
    """Tokenise the first ``rows`` rows as training would.

    Raises:
        UserError: The data cannot be read, the model cannot be found, or its template cannot be used.
    """
    writing = config.task.name in WRITING
    config, tables = read_all(config, data, console)
    # What is found of the columns stands above the rows.
    columns = find_columns(config, tables, Console(quiet=True), need_label=writing)
    table = next(iter(tables.values()))
    language = guess_language(_texts(table, columns)).language
    wanted = language if config.evaluate.language == "auto" else config.evaluate.language
    source = find_model(config, language)
    max_length = find_max_length(config, source)
    tokenizer = load_tokenizer(source, max_length=max_length)
    shown = Inspection(
        source.name,
        max_length,
        (),
        source=table.source,
        task=config.task.name,
        announcements=columns.announcements,
        joined=writing,
        language="zh" if wanted == "zh" else "en",
    )
    if writing:
        found = written_rows(config, columns, table, source, tokenizer, max_length, rows)
        announcements = (*columns.announcements, *found.announcements)
        return replace(shown, rows=found.rows, announcements=announcements, remarks=found.remarks)
    first = table.select(np.arange(min(rows, len(table))), step="head")
    return replace(shown, rows=tuple(text_rows(config, columns, first, source, tokenizer, max_length)))


def _texts(table: Table, columns: Columns) -> list[str]:
    """Texts to tell the language by; rows that are no conversations are shown as such later on."""
    if columns.layout is None:
        return sample_texts(table, columns, _FOR_LANGUAGE)
    spread = np.unique(np.linspace(0, len(table) - 1, min(_FOR_LANGUAGE, len(table))).astype(np.int64))
    found = conversations_or_faults(table.select(spread, step="sample"), columns)
    return [said(each.messages) for each in found if not isinstance(each, Fault)]
