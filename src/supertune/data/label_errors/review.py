"""The list as a file that a person fills in: one line for each label that is probably wrong, and a place to decide."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from supertune.data.formulas import with_formula, without_formula
from supertune.data.label_errors.found import LabelErrors
from supertune.data.sources import read
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.files import atomic_file, write_jsonl

COLUMNS = ("row", "split", "text", "column", "given", "suggested", "probability", "decision", "key")
_SHEETS = (".csv",)
_LINES = (".jsonl",)
_ASKED = "write keep, change (to what is suggested), change to LABEL, or drop"
_KEEP = ("keep", "保留")
_CHANGE = ("change", "修改")
_CHANGE_TO = ("change to", "修改为", "改为")
_DROP = ("drop", "删除")


@dataclass(frozen=True)
class Decision:
    """What a person decided about one label.

    Attributes:
        row: 0-based number of the row in the split's file.
        split: The split.
        column: The label column.
        key: What the row was when it was listed; see `row_key`.
        action: ``keep``, ``change`` or ``drop``.
        value: What to change it to, as text; for other actions "".
        where: File and line, for messages.
    """

    row: int
    split: str
    column: str
    key: str
    action: str
    value: str
    where: str


def row_key(row: Mapping[str, Any]) -> str:
    """Tells whether a row is still what it was. Begins with a letter: a spreadsheet would take 1e10 for a number."""
    text = json.dumps(row, ensure_ascii=False, sort_keys=True, default=repr)
    return "k" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def cell_text(value: object) -> str:
    """A cell as text: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_review_file(path: Path) -> None:
    """Check the name before any work is done.

    Raises:
        UserError: It is of no known kind, or there is a file, which may hold a person's decisions.
    """
    if path.suffix.lower() not in (*_SHEETS, *_LINES):
        raise UserError(f"{path.suffix or 'no ending'!r} is no kind of list", where=str(path), fix="use .csv or .jsonl")
    if path.exists():
        raise UserError("is there already, maybe with decisions in it", where=str(path), fix="choose another name")


def write_review(path: Path, errors: LabelErrors, splits: Mapping[str, Table]) -> None:
    """Write the list, the surest first, with an empty ``decision`` in each line.

    CSV is UTF-8 with a byte order mark, by which spreadsheets know Chinese, and cells that begin like formulas are
    escaped; JSONL has the cells as they are.

    Raises:
        UserError: The file cannot be written.
    """
    positions = {split: {row: at for at, row in enumerate(table.row_ids.tolist())} for split, table in splits.items()}
    lines = []
    for each in errors.suspects:
        key = row_key(splits[each.split].row(positions[each.split][each.row]))
        values = (each.row, each.split, each.text, each.column, each.given, each.suggested)
        lines.append(dict(zip(COLUMNS, (*values, round(each.probability, 4), "", key), strict=True)))
    if path.suffix.lower() in _LINES:
        write_jsonl(path, lines)
        return
    with atomic_file(path) as stream:
        stream.write("\ufeff")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in lines:
            exact = ("row", "probability")
            writer.writerow(line[name] if name in exact else without_formula(cell_text(line[name])) for name in COLUMNS)


def read_review(path: str | Path) -> list[Decision]:
    """The decisions that were filled in, in the order of the file; lines without one are left out.

    Args:
        path: What `write_review` wrote and a person filled in, or a spreadsheet program saved (CSV, XLSX, JSONL).

    Raises:
        UserError: The file is no such list, or a decision is not understood; names the line.
    """
    table = read(str(path))
    if missing := [name for name in COLUMNS if name not in table.column_names]:
        raise UserError(
            f"has no column {missing[0]!r}", where=str(path), fix="use a list that supertune check --review has written"
        )
    escaped = Path(path).suffix.lower() not in (*_LINES, ".json")
    decisions = []
    for number, line in enumerate(table.rows()):
        where = f"{path}, line {number + 2 if escaped else number + 1}"
        cells = {name: "" if line[name] is None else cell_text(line[name]) for name in COLUMNS}
        if escaped:
            cells = {name: with_formula(cell) for name, cell in cells.items()}
        if cells["decision"].strip():
            decisions.append(_decision(cells, where))
    return decisions


def _decision(cells: Mapping[str, str], where: str) -> Decision:
    said = cells["decision"].strip()
    low = said.casefold()
    for prefix in _CHANGE_TO:
        if low.startswith(prefix):
            action, value = "change", said[len(prefix) :].lstrip(" :：\u3000").strip()
            break
    else:
        value = cells["suggested"] if low in _CHANGE else ""
        known: tuple[tuple[str, Sequence[str]], ...] = (("keep", _KEEP), ("change", _CHANGE), ("drop", _DROP))
        action = next((name for name, words in known if low in words), "")
    if not action or (action == "change" and not value):
        raise UserError(f"{said!r} is no decision", where=where, fix=_ASKED)
    row = cells["row"].removesuffix(".0")
    if not row.isdecimal():
        raise UserError(f"{cells['row']!r} is no row number", where=where, fix="leave the column 'row' as it was")
    return Decision(int(row), cells["split"], cells["column"], cells["key"], action, value, where)
