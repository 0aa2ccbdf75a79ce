"""Where prepared rows are written to, and what is written down of where they came from."""

from __future__ import annotations

from pathlib import Path

from supertune.config import Config, absolute_paths
from supertune.contracts import Columns
from supertune.data import TABLE_FORMATS
from supertune.errors import UserError
from supertune.files import explained
from supertune.recipes.sources import several_sources


def refuse_several_sources(config: Config) -> None:
    """Check that there is one source: a prepared set is made of one, and several can be learned from together.

    Raises:
        UserError: ``data.source`` is a list.
    """
    if several_sources(config):
        raise UserError(
            "is a list: rows are prepared source by source",
            where="data.source",
            fix="prepare each on its own, and name the prepared folders in the list that train reads",
        )


def refuse_existing_folder(out: Path | None) -> None:
    """Check, before any work is done, that a folder can be made and nothing is overwritten.

    Raises:
        UserError: Something is there already, or the name is that of a file.
    """
    if out is None:
        return
    with explained(out):
        if out.is_dir() and not any(out.iterdir()):
            return
        if out.exists() or out.is_symlink():
            raise UserError("exists already", where=str(out), fix="name a new folder with --out")
    if out.suffix.lstrip(".") in (*TABLE_FORMATS, "json", "tsv", "txt", "xlsx"):
        what = "is the name of a file; a folder is written, with the rows and how they came to be"
        raise UserError(what, where=str(out), fix=f"--out {out.with_suffix('')}, and --format for what its files are")


def with_what_was_found(config: Config, columns: Columns, data: object) -> Config:
    """The configuration with what was found, so that the same columns of the same files are taken the next time."""
    values: dict[str, object] = {}
    if columns.layout is None:
        values["data.text"] = list(columns.text)
        if columns.labels:
            values["data.label"] = columns.labels[0] if len(columns.labels) == 1 else list(columns.labels)
    if isinstance(data, str | Path):
        values["data.source"] = str(data)
    config = config.with_values(values)
    return config.with_values(absolute_paths(config, Path.cwd()))
