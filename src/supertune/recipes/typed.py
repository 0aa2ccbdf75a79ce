"""What people type, put where the rows of training had it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supertune.contracts import Layout
from supertune.data import Table, is_question
from supertune.errors import UserError
from supertune.language import shorten
from supertune.prompts import Field, prompt_of
from supertune.tasks import GenerationTask


def typed_fields(task: GenerationTask) -> tuple[Field, ...]:
    """What is typed, in order: one text, or several that belong together.

    Where the rows hold lists of messages, what the user says. Of alpaca's form the instruction, of plain texts the
    beginning. Of questions on texts the question first, as where answers are cut out of them.
    """
    layout = _layout(task)
    if layout.prompt is None:
        name = layout.columns["messages"]
        return (Field(name, *_place(name, task.columns.text)),)
    fields = prompt_of(layout.prompt, task.columns.text).fields
    if layout.format in ("alpaca", "text"):
        return fields[:1]
    if layout.format == "question-answer":
        return tuple(sorted(fields, key=lambda field: not is_question(field.name)))
    return fields


def typed_table(task: GenerationTask, texts: Sequence[str | Sequence[str]], source: str) -> Table:
    """Texts as rows such as the model was trained on, but for their answers.

    Args:
        task: Knows how rows are asked.
        texts: Each of them, or each group of those that belong together.
        source: What they are called in messages.

    Raises:
        UserError: There are too few or too many texts in a group.
    """
    fields = typed_fields(task)
    groups = [(text,) if isinstance(text, str) else tuple(text) for text in texts]
    for group in groups:
        if len(group) != len(fields):
            names = ", ".join(f"{field.name!r}" for field in fields)
            raise UserError(
                f"this model is asked with {names}: not {shorten(repr(group[0] if len(group) == 1 else group), 60)}",
                where=source,
                fix=f"give {len(fields)} texts at a time: {names}" if len(fields) > 1 else "give one text at a time",
            )
    layout = _layout(task)
    rows = [_row(layout, fields, group) for group in groups]
    absent = [name for name in task.columns.text if name not in {field.column for field in fields}]
    return Table.from_rows([{**row, **dict.fromkeys(absent)} for row in rows], source=source)


def grouped(task: GenerationTask, texts: Sequence[str], command: str) -> list[tuple[str, ...]]:
    """Texts that were typed one behind the other, as many together as belong together.

    Raises:
        UserError: Some are left over.
    """
    fields = typed_fields(task)
    size = len(fields)
    if len(texts) % size:
        shown = " ".join(f'"{field.name}"' for field in fields)
        raise UserError(
            f"this model is asked with {size} texts at a time, and {len(texts)} were given",
            where="texts",
            fix=f"{command} {shown}",
        )
    return [tuple(texts[start : start + size]) for start in range(0, len(texts), size)]


def optional_columns(task: GenerationTask) -> tuple[str, ...]:
    """Columns that rows may lack: in alpaca's form, what the instruction is applied to."""
    layout = _layout(task)
    if layout.format != "alpaca" or layout.prompt is None:
        return ()
    first, *others = prompt_of(layout.prompt, task.columns.text).fields
    return tuple(field.column for field in others if field.column != first.column)


def _row(layout: Layout, fields: Sequence[Field], texts: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field, text in zip(fields, texts, strict=True):
        value: Any = text
        if layout.prompt is None:
            who, what = ("from", "value") if layout.format == "sharegpt" else ("role", "content")
            value = [{who: "human" if layout.format == "sharegpt" else "user", what: text}]
        place = row
        for key in (field.column, *field.keys)[:-1]:
            place = place.setdefault(key, {})
        place[(field.column, *field.keys)[-1]] = value
    return row


def _place(name: str, columns: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Column and keys of a name with dots."""
    column = next((known for known in columns if name == known or name.startswith(f"{known}.")), name)
    rest = name[len(column) + 1 :]
    return column, tuple(rest.split(".")) if rest else ()


def _layout(task: GenerationTask) -> Layout:
    assert task.columns.layout is not None
    return task.columns.layout
