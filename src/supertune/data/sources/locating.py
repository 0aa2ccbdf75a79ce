"""What a user's string names: a file, a folder or a dataset of the hub; and what kind of file it is."""

from __future__ import annotations

import difflib
import io
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from supertune.data.sources.conll import holds_tagged_tokens
from supertune.data.sources.dialect import suffix_of
from supertune.data.sources.hub import looks_like_name
from supertune.data.sources.strict_json import StrictDecoder
from supertune.data.sources.text import open_bytes
from supertune.errors import UserError
from supertune.files import explained

_SNIFFED_BYTES = 64 * 1024


def locate(source: str | Path, known: Iterable[str]) -> Path | None:
    """The file or folder that exists under this name; None when it can only be a dataset of the hub.

    Raises:
        UserError: There is no such file, and the string cannot be a dataset's name either.
    """
    text = str(source)
    if "://" in text:
        raise UserError("is an address, not a file", where=text, fix="download it and give the file")
    if not text.strip() or "\0" in text:
        raise UserError(f"{text!r} is not a path", fix="give a file, a folder or the name of a hub dataset")
    path = Path(text).expanduser()
    with explained(path):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            mode = 0
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return path
    if mode:
        raise UserError("is neither a file nor a folder", where=text, fix="save it to a file first")
    path_like = isinstance(source, Path) or text.startswith((".", "/", "~")) or "\\" in text
    if path_like or suffix_of(path) in known or path.suffix == ".gz" or not looks_like_name(text):
        raise _no_such_file(path)
    return None


def _no_such_file(path: Path) -> UserError:
    if not path.parent.is_dir():
        return UserError(
            "no such file", where=str(path), fix=f"there is no folder {path.parent} either: check the path"
        )
    with explained(path.parent):
        names = os.listdir(path.parent)  # noqa: PTH208 - names are all that is needed
    close = difflib.get_close_matches(path.name, names, n=1)
    fix = f"did you mean {path.parent / close[0]}?" if close else "check the path"
    return UserError("no such file", where=str(path), fix=fix)


def kind_of_file(path: Path, known: Iterable[str], source: str) -> tuple[str, tuple[str, ...]]:
    """The extension whose reader fits the file, and a note when that is not the file's own.

    An unknown extension is looked into, and accepted where the content leaves no doubt.

    Raises:
        UserError: The file's kind is not known.
    """
    suffix = suffix_of(path)
    found = _content(path)
    if suffix in known:
        if found == ".jsonl" and suffix in (".csv", ".tsv", ".tab", ".txt"):
            what = f"holds JSON Lines, not {'delimited text' if suffix == '.txt' else suffix[1:].upper()}"
            raise UserError(what, where=source, fix="rename it to end in .jsonl")
        if found == ".conll" and suffix in (".tsv", ".tab", ".txt"):
            return found, (f"read as tagged tokens, not {suffix[1:].upper()}: a tag ends every line",)
        return suffix, ()
    shown = f"the extension {suffix!r} is not known" if suffix else "has no extension"
    if found:
        return found, (f"{shown}; read as {found[1:]}, which its content is",)
    fix = "rename it to what it is, one of " + ", ".join(sorted(known))
    raise UserError(f"{shown}, and its content does not tell", where=source, fix=fix)


def _content(path: Path) -> str | None:
    """The extension that the first bytes speak for, if they leave no doubt."""
    with explained(path):
        with path.open("rb") as raw:
            start = raw.read(15)
            if start.startswith(b"PAR1"):
                return ".parquet"
            if start == b"SQLite format 3":
                fix = f"give it as sqlite:///{path}, and say which rows: --set data.table=NAME, or data.query"
                raise UserError("is an SQLite database", where=str(path), fix=fix)
        try:
            with open_bytes(path) as stream:
                start = stream.read(_SNIFFED_BYTES)
        except EOFError:
            return None
    text = start.decode("utf-8-sig", "ignore").lstrip()
    if start.startswith(b"PK\x03\x04") and b"xl/" in start:
        return ".xlsx"
    if text.startswith("["):
        return ".json" if text[1:].lstrip().startswith("{") else None
    if holds_tagged_tokens(text):
        return ".conll"
    first = io.StringIO(text).readline()
    if not first.startswith("{"):
        return None
    try:
        return ".jsonl" if isinstance(StrictDecoder().decode(first), dict) else None
    except ValueError:
        return None
