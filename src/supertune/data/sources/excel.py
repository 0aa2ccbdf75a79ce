"""Excel workbooks, through python-calamine (the extra ``excel``)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.data.arrays import Places
from supertune.data.sources.building import BATCH_ROWS, TableBuilder
from supertune.data.table import Table, check_names
from supertune.errors import MissingExtraError, UserError
from supertune.files import explained

_EXACT_INTEGERS = 2**53


def read_excel(path: Path, builder: TableBuilder, *, sheet: str | None = None) -> Table:
    """Read one sheet of a workbook, the first by default; its first row names the columns.

    Excel knows one kind of number, so a column of whole numbers is read as integers. In a column that holds text
    too, numbers are read as the text they show, and said so. Dates become ISO 8601 text.

    Raises:
        MissingExtraError: python-calamine is not installed.
        UserError: The file is not a workbook, is protected, or the sheet is missing or empty.
    """
    name, others, rows = _sheet_rows(path, builder.source, sheet)
    notes = [f"read the sheet {name!r}; not read: {', '.join(map(repr, others))}"] if others and not sheet else []
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(cell != "" for cell in row)]
    if not filled:
        raise UserError(f"the sheet {name!r} is empty", where=builder.source, fix="name another one with --sheet")
    (_, first), body = filled[0], filled[1:]
    used = [i for i, cell in enumerate(first) if cell != "" or any(row[i] != "" for _, row in body)]
    header = [str(first[index]).strip() for index in used]
    check_names(header, f"{builder.source}, sheet {name!r}")
    if not body:
        raise UserError(f"the sheet {name!r} has a header but no rows", where=builder.source, fix="add rows")
    columns: dict[str, list[Any]] = {}
    for column, index in zip(header, used, strict=True):
        columns[column], note = _values([row[index] for _, row in body], column)
        notes += [note] if note else []
    for start in range(0, len(body), BATCH_ROWS):
        stop = min(len(body), start + BATCH_ROWS)
        records = [{column: values[row] for column, values in columns.items()} for row in range(start, stop)]
        places = Places(range(start, stop), [number for number, _ in body[start:stop]])
        builder.add_records(records, places, stop / len(body))
    return builder.finish(notes)


def _sheet_rows(path: Path, source: str, sheet: str | None) -> tuple[str, list[str], list[list[Any]]]:
    try:
        import python_calamine as calamine
    except ImportError as error:
        raise MissingExtraError("python-calamine", "excel", purpose="reading Excel workbooks") from error
    with explained(path):
        path.open("rb").close()
    try:
        with calamine.load_workbook(path) as workbook:
            names = list(workbook.sheet_names)
            if sheet is not None and sheet not in names:
                what = f"has no sheet {sheet!r}"
                raise UserError(what, where=source, fix=f"name one of {', '.join(map(repr, names))}")
            name = sheet if sheet is not None else names[0]
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except calamine.PasswordError as error:
        raise UserError("is protected by a password", where=source, fix="save it without one") from error
    except (calamine.CalamineError, OSError) as error:
        what = f"is not a readable Excel workbook ({error})"
        raise UserError(what, where=source, fix="save it again as .xlsx, or as CSV in UTF-8") from error
    return name, [other for other in names if other != name], rows


def _values(cells: Sequence[Any], column: str) -> tuple[list[Any], str | None]:
    values = [_plain(cell) for cell in cells]
    numbers = [index for index, value in enumerate(values) if type(value) in (int, float)]
    if len(numbers) < sum(value is not None for value in values) and numbers:
        for index in numbers:
            values[index] = str(_whole(values[index]))
        return values, (
            f"column {column!r}: {len(numbers)} number{'s' if len(numbers) > 1 else ''} among text "
            f"read as text, the first in row {numbers[0]}: {values[numbers[0]]!r}"
        )
    if all(type(_whole(values[index])) is int for index in numbers):
        values = [value if value is None or isinstance(value, str) else _whole(value) for value in values]
    return values, None


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return str(cell)
    return None if cell == "" else cell


def _whole(value: Any) -> Any:
    if type(value) is float and value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return int(value)
    return value
