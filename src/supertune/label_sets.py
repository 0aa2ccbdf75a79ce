"""Several labels for one row: how people write them, in one column or in a column for each label.

In one column they are a list (JSON, also within text, or as Python prints it) or words with a separator between them.
Columns of labels hold true and false, or 1 and 0. A row to which no label applies has an empty list, or false in every
column; a row that nobody has labelled has nothing.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator

from supertune.contracts import Columns, Label, Rows
from supertune.errors import UserError
from supertune.language import is_blank, is_missing, shorten

SEPARATORS = ("|", ";", "；", "、", ",", "，", "\n", "\t")
"""What stands between labels; of equally good ones the first is taken."""
_TRUTH = {"1": True, "true": True, "0": False, "false": False}


def label_sets(rows: Rows, columns: Columns) -> Iterator[tuple[Label, ...] | None]:
    """The labels of every row, in order, each once; none for a row to which none applies, None for an unlabelled row.

    Args:
        rows: Rows with the label columns.
        columns: Several label columns, of which each says whether its label applies; or one, and its separator.

    Raises:
        UserError: A value is no label, no list of labels, or neither true nor false.
    """
    names = columns.labels
    start = 0
    for batch in rows.batches(columns=names):
        for row, values in enumerate(zip(*(batch[name] for name in names), strict=True), start):
            try:
                yield _applying(names, values) if len(names) > 1 else in_cell(values[0], columns.separator)
            except ValueError as error:
                named = names[0] if len(names) == 1 else " and ".join(map(repr, names))
                raise UserError(
                    f"row {rows.row_ids[row]} {error}",
                    where=f"column {named!r}" if len(names) == 1 else f"columns {named}",
                    fix='write labels as a list (["a", "b"]), with a separator (a|b), or 0 and 1 in a column for each',
                ) from error
        start += len(batch[names[0]])


def in_cell(value: object, separator: str | None) -> tuple[Label, ...] | None:
    """The labels that one value holds; None for no value.

    Args:
        value: As it was read.
        separator: What stands between labels in text; None where each text is one label.

    Raises:
        ValueError: It holds something else; says what, to stand behind the row's number.
    """
    if is_missing(value):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not value.startswith("["):
            parts = value.split(separator) if separator else [value]
            return _each_once(part.strip() for part in parts if not is_blank(part))
        value = _listed(value)
    return _each_once(map(_label, value)) if isinstance(value, list) else (_label(value),)


def best_separator(values: Iterable[object]) -> str | None:
    """The separator with which the texts fall into the fewest different labels; None where none of them occurs."""
    texts = [text for value in values if isinstance(value, str) and not (text := value.strip()).startswith("[")]
    found = [separator for separator in SEPARATORS if any(separator in text for text in texts)]

    def labels(separator: str) -> int:
        return len({part.strip() for text in texts for part in text.split(separator)})

    return min(found, key=labels, default=None)


def truth_of(value: object) -> bool:
    """Whether a column's label applies.

    Raises:
        ValueError: The value is neither true nor false; says what it is, to stand behind the row's number.
    """
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    found = _TRUTH.get(value.strip().casefold()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"has {_shown(value)}, which is neither 0 nor 1")
    return found


def _applying(names: tuple[str, ...], values: tuple[object, ...]) -> tuple[Label, ...] | None:
    if any(map(is_missing, values)):
        return None
    return tuple(name for name, value in zip(names, values, strict=True) if truth_of(value))


def _listed(text: str) -> list[object]:
    """A list that was written as text: JSON, or as Python prints it, which pandas does."""
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"has {_shown(text)}, which begins as a list and is none") from error
    if not isinstance(found, list):
        raise ValueError(f"has {_shown(text)}, which begins as a list and is none")
    return found


def _label(value: object) -> Label:
    if isinstance(value, str) and not is_blank(value):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        # What a column of whole numbers becomes beside a missing one.
        return int(value)
    if isinstance(value, bool | int):
        return value
    raise ValueError(f"has {_shown(value)} among its labels, which is no label")


def _each_once(labels: Iterable[Label]) -> tuple[Label, ...]:
    # Python holds True and 1 for the same key.
    return tuple(label for _, label in dict.fromkeys((isinstance(label, bool), label) for label in labels))


def _shown(value: object) -> str:
    return shorten(repr(value), 40)
