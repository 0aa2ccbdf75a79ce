"""Where prepared rows are written to."""

from __future__ import annotations

from pathlib import Path

from supertune.config import Config
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
