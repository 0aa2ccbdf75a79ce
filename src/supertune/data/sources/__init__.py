"""Where rows come from: one file per source, and the two functions that find the right one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from supertune.addresses import is_database
from supertune.data.sources import hub, spill
from supertune.data.sources.building import OnBadRow, Progress, TableBuilder
from supertune.data.sources.conll import read_tagged
from supertune.data.sources.delimited import read_delimited
from supertune.data.sources.excel import read_excel
from supertune.data.sources.folders import SPLIT_NAMES, folder_splits, read_folder, text_files
from supertune.data.sources.json_document import read_json
from supertune.data.sources.json_lines import read_json_lines
from supertune.data.sources.locating import kind_of_file, locate
from supertune.data.sources.objects import is_dataset_dict, read_dataset, read_object
from supertune.data.sources.parquet import read_parquet
from supertune.data.sources.preparation_record import lineage_beside
from supertune.data.sources.sql import read_database
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.files import explained

__all__ = ["READERS", "OnBadRow", "Progress", "read", "read_splits"]

READERS: dict[str, Callable[[Path, TableBuilder], Table]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".tab": read_delimited,
    ".txt": read_delimited,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
    ".xlsx": read_excel,
    ".xlsm": read_excel,
    ".xls": read_excel,
    ".ods": read_excel,
    ".conll": read_tagged,
    ".bio": read_tagged,
    ".iob": read_tagged,
    ".iob2": read_tagged,
    ".bioes": read_tagged,
    ".bmes": read_tagged,
}
"""Extension → what reads such a file; text files also gzipped, with ``.gz`` after it."""

_FOLDER = "folder"


def read(
    source: Any,
    *,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    query: str | None = None,
    table: str | None = None,
    progress: Progress | None = None,
) -> Table:
    """Read one table.

    Args:
        source: A path (CSV, TSV, JSON, JSON Lines, Parquet, Excel, CoNLL's tagged tokens; text also as .gz), a folder
            of text or HTML files, SQLAlchemy's address of a database, the name of a hub dataset, or a DataFrame, list
            of dicts, dict of lists, pyarrow.Table or datasets.Dataset. A table that was read already stays as it is.
        on_bad_row: ``refuse`` raises an error that lists the malformed rows; ``skip`` leaves them out and tells
            in the table's ``notes`` and ``bad_rows``.
        sheet: The sheet of a workbook; the first by default.
        query: What a database is asked for, in its own SQL.
        table: The table of a database that is read instead of a query; the only one by default.
        progress: Called after each batch with the rows so far and the part of the source read.

    Raises:
        UserError: The source is missing, not readable, malformed, empty, or holds several splits.
    """
    if on_bad_row not in ("refuse", "skip"):
        raise UserError(f"on_bad_row is {on_bad_row!r}", fix="choose 'refuse' or 'skip'")
    if is_database(source):
        _refuse_sheet(sheet, source)
        return read_database(source, query=query, table=table, on_bad_row=on_bad_row, progress=progress)
    if query is not None or table is not None:
        what = f"only a database has a {'table' if query is None else 'query'}, and the source is none"
        raise UserError(what, where=source if isinstance(source, str) else None, fix="name one: sqlite:///rows.db")
    if isinstance(source, Table):
        return source
    if not isinstance(source, str | Path):
        return read_object(source, progress)
    path = locate(source, READERS)
    if path is None:
        tables = _read_hub(str(source), progress)
        return tables[_only_split(tables, str(source))]
    if path.is_dir():
        splits = folder_splits(path, _endings()) or {_FOLDER: path}
        part = splits[_only_split(splits, str(source))]
        return _read_files(part, str(source if part == path else part), on_bad_row, sheet, progress)
    return _read_files(path, str(source), on_bad_row, sheet, progress)


def read_splits(
    source: Any,
    *,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    query: str | None = None,
    table: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Table]:
    """Read every split a source brings: ``train``, ``validation``, ``test``; ``{"all": table}`` where it brings none.

    A hub dataset, a ``DatasetDict``, and a folder that holds ``train.*``, ``validation.*`` (or ``dev``, ``valid``,
    ``val``) and ``test.*``, or folders of text by class of those names, bring their own; so do tables by split.

    Raises:
        UserError: As `read`.
    """
    if isinstance(source, Mapping) and source and all(isinstance(part, Table) for part in source.values()):
        return dict(source)
    if is_dataset_dict(source):
        return _named({name: read_dataset(part, name, progress) for name, part in source.items()}, "DatasetDict")
    if isinstance(source, str | Path) and not is_database(source) and query is None and table is None:
        path = locate(source, READERS)
        if path is None:
            return _read_hub(str(source), progress)
        if path.is_dir() and len(splits := folder_splits(path, _endings())) > 1:
            order = [name for name in ("train", "validation", "test") if name in splits]
            return {name: _read_files(splits[name], str(splits[name]), on_bad_row, sheet, progress) for name in order}
    whole = read(source, on_bad_row=on_bad_row, sheet=sheet, query=query, table=table, progress=progress)
    return {"all": whole}


def _endings() -> list[str]:
    return [*READERS, *(f"{suffix}.gz" for suffix in READERS)]


def _only_split(splits: Collection[str], source: str) -> str:
    """The name of the split of a source that has one only.

    Raises:
        UserError: It has several: which is meant is not ours to guess.
    """
    if len(splits) == 1:
        return next(iter(splits))
    what = f"holds several splits ({', '.join(splits)}), where one table is needed"
    raise UserError(what, where=source, fix="name one of its files, or save the split you mean to a file")


def _read_hub(name: str, progress: Progress | None) -> dict[str, Table]:
    parts = hub.load_splits(name)
    return _named({split: read_dataset(part, f"{name}:{split}", progress) for split, part in parts.items()}, name)


def _named(tables: dict[str, Table], source: str) -> dict[str, Table]:
    """The splits under the names the rest of supertune uses; other ones (``unsupervised``) are left out."""
    found = {SPLIT_NAMES[name]: table for name, table in tables.items() if name in SPLIT_NAMES}
    if len(found) == 1 and "train" in found:
        return {"all": found["train"]}
    if found:
        return found
    return {"all": tables[_only_split(tables, source)]}


def _read_files(path: Path, source: str, on_bad_row: OnBadRow, sheet: str | None, progress: Progress | None) -> Table:
    """Read a file, or a folder of text files by class, or find the spill of an earlier read."""
    with explained(path):
        files = text_files(path) if path.is_dir() else [path]
        kind, notes = (_FOLDER, ()) if path.is_dir() else kind_of_file(path, READERS, source)
        options = {"on_bad_row": on_bad_row, "sheet": sheet, "kind": kind}
        key = spill.key_of_files(files, options)
        if (table := spill.opened(key, source)) is not None:
            return _with_lineage(table.with_notes(notes), path)
        with TableBuilder(source, key=key, on_bad_row=on_bad_row, progress=progress) as builder:
            if kind != _FOLDER and READERS[kind] is read_excel:
                table = read_excel(path, builder, sheet=sheet)
            else:
                _refuse_sheet(sheet, source)
                table = read_folder(path, builder) if kind == _FOLDER else READERS[kind](path, builder)
        if spill.key_of_files(files, options) != key:
            what = "changed while it was being read"
            raise UserError(what, where=source, fix="read it again when nothing writes to it")
    return _with_lineage(table.with_notes(notes), path)


def _refuse_sheet(sheet: str | None, source: str) -> None:
    if sheet is not None:
        raise UserError(f"has no sheets, but the sheet {sheet!r} was named", where=source, fix="leave it out")


def _with_lineage(table: Table, path: Path) -> Table:
    """The table with the steps by which its file came to be before those since."""
    steps, note = lineage_beside(path)
    return replace(table.with_notes([note] if note else []), lineage=(*steps, *table.lineage))
