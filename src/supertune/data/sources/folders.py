"""A folder of texts or pages, by class (``folder/<label>/*.txt``) or without, and folders that hold splits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from supertune.data.arrays import Places
from supertune.data.html_text import html_text
from supertune.data.sources.building import BATCH_CHARACTERS, BATCH_ROWS, TableBuilder
from supertune.data.sources.dialect import suffix_of
from supertune.data.sources.encoding import detect
from supertune.data.sources.text import open_bytes
from supertune.data.table import Table
from supertune.errors import MissingExtraError, UserError
from supertune.files import explained

_PAGES = (".html", ".htm", ".xhtml")
_ROWS = frozenset({".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm", ".xls", ".ods"})
"""Files that hold rows: in a folder with one of them, texts lying beside are no data."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted by name, hidden entries left out."""
    with explained(folder):
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))


def class_files(folder: Path) -> list[Path]:
    """The texts and pages ``<label>/*.txt`` and ``<label>/*.html`` of a folder, sorted by label and name."""
    labels = [entry for entry in visible(folder) if entry.is_dir()]
    return [file for label in labels for file in visible(label) if _is_text(file)]


def text_files(folder: Path) -> list[Path]:
    """The texts and pages of a folder: by class, or else those beside each other in it where no file holds rows."""
    if by_class := class_files(folder):
        return by_class
    entries = visible(folder)
    if any(entry.is_file() and suffix_of(entry) in _ROWS for entry in entries):
        return []
    return [entry for entry in entries if _is_text(entry)]


def _is_text(file: Path) -> bool:
    return file.suffix.lower() in (".txt", *_PAGES) and file.is_file()


def folder_splits(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """The splits that a folder holds: files ``train.*``, or folders of text by class; empty if it holds none.

    Raises:
        UserError: Two files or folders claim the same split.
    """
    found: dict[str, Path] = {}
    known = tuple(suffixes)
    for entry in visible(folder):
        name = entry.name.lower()
        split = SPLIT_NAMES.get(name if entry.is_dir() else name.split(".")[0])
        if split is None:
            continue
        if not (class_files(entry) if entry.is_dir() else name.endswith(known)):
            continue
        if split in found:
            raise UserError(
                f"both {found[split].name!r} and {entry.name!r} claim to be the {split} split",
                where=str(folder),
                fix="keep one of them, or name the files with --validation and --test",
            )
        found[split] = entry
    return found if "train" in found or len(found) > 1 else {}


def read_folder(folder: Path, builder: TableBuilder) -> Table:
    """Read a folder's texts and pages, sorted by label and name.

    The columns are ``text`` and ``file``; ``label``, the subfolder's name, where there are such; and ``title`` where
    there are pages, of which the main text is taken.

    Raises:
        MissingExtraError: There are pages, and trafilatura is not installed.
        UserError: There are no such files, or some cannot be read as text and are not to be skipped.
    """
    files = text_files(folder)
    if not files:
        raise UserError(
            "holds no text files by class",
            where=builder.source,
            fix="put the texts into <label>/*.txt (or .html), or name a data file: " + _data_files(folder),
        )
    by_class = any(file.parent != folder for file in files)
    pages = any(file.suffix.lower() in _PAGES for file in files)
    records: list[dict[str, Any]] = []
    rows: list[int] = []
    characters, other_encodings, silent = 0, 0, 0
    for row, file in enumerate(files):
        name = file.relative_to(folder).as_posix()
        try:
            text, title, is_utf8 = _text_of(file)
        except MissingExtraError:
            raise
        except UserError as error:
            builder.bad(row, 1, f"{name} {error.what}")
            continue
        other_encodings += not is_utf8
        silent += not text and file.suffix.lower() in _PAGES
        about = {"title": title} if pages else {}
        label = {"label": file.parent.name} if by_class else {}
        records.append({**about, "text": text, **label, "file": name})
        rows.append(row)
        characters += len(text)
        if len(records) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            builder.add_records(records, Places(rows), row / len(files))
            records, rows, characters = [], [], 0
    builder.add_records(records, Places(rows), 1.0)
    notes = [] if by_class else [f"{len(files):,} texts without labels: there are no subfolders to name them"]
    notes += [f"{other_encodings} of {len(files)} files are not UTF-8"] if other_encodings else []
    notes += [f"{silent:,} page{'s' if silent > 1 else ''} without any text"] if silent else []
    ignored = sum(1 for entry in folder.rglob("*") if entry.is_file() and not _hidden(entry, folder)) - len(files)
    notes += [f"{ignored} other file{'s' if ignored > 1 else ''} in the folder left out"] if ignored else []
    return builder.finish(notes)


def _text_of(file: Path) -> tuple[str, str | None, bool]:
    """The text, the title of a page, and whether the file is UTF-8."""
    if file.suffix.lower() in _PAGES:
        with explained(file):
            page = html_text(file.read_bytes(), str(file))
        return page.text, page.title, page.encoding == "utf-8"

    def opener() -> BinaryIO:
        return open_bytes(file)

    with explained(file):
        if not file.stat().st_size:
            return "", None, True
        encoding = detect(opener, str(file))
        if encoding.damaged:
            raise UserError("holds bytes that its encoding does not know", where=str(file))
        with opener() as stream:
            text = stream.read().decode(encoding.codec)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines.rstrip("\n"), None, encoding.note is None


def _hidden(entry: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in entry.relative_to(folder).parts)


def _data_files(folder: Path) -> str:
    names = [entry.name for entry in visible(folder) if entry.is_file()][:5]
    return ", ".join(names) if names else "this folder has none"
