"""Go on with a run that was interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

from supertune.config import load_config
from supertune.console import Console
from supertune.errors import UserError
from supertune.files import explained
from supertune.recipes.fit import complete, recorded
from supertune.recipes.run import Run
from supertune.runs import open_run, sole_writer, still_running

_LEFT_OVER = (".partial", ".old")


def resume(path: Path, data: object = None, *, console: Console | None = None) -> Run:
    """Finish a run from its newest whole checkpoint; a run that is done is left as it is.

    What was measured to choose (precision, attention, threads) stands in the run's config.yaml and is not measured
    again, so that the same processor comes to the same weights, to the last bit.

    Args:
        path: The run directory.
        data: The rows again, if they were in memory when the run began.
        console: Where to show progress; None for silence.

    Raises:
        UserError: There is no such run, it is still running, or its data or model has changed; what was done stays.
        GateError: The gate found errors that were not allowed; its report is in the run.
        InterruptedRunError: Ctrl-C; what was done is in the run.
    """
    console = console or Console(quiet=True)
    # What is wrong with a path is better said by this than by the lock.
    open_run(path)
    with sole_writer(path) as alone:
        store = open_run(path)
        if store.status == "done":
            console.say(f"{store.path} has finished already")
            shutil.rmtree(store.checkpoints_folder, ignore_errors=True)
            return Run(store)
        if store.status == "running" and not alone:
            raise still_running(store.path)
        config = load_config(store.path / "config.yaml")
        if config.data.source is None and data is None:
            raise UserError(
                "learned from rows that were in memory",
                where=str(store.path),
                fix=f'hand them over again in Python: supertune.resume("{store.path}", rows)',
            )
        _tidy(store.path)
        store.reopen()
        with recorded(store, keep=True):
            return complete(store, config, data, console)


def _tidy(run: Path) -> None:
    """Remove what a killed process left half-written; nobody else writes here now."""
    with explained(run):
        for entry in [entry for folder in (run, run / "predictions", run / "model") for entry in folder.glob(".*")]:
            if entry.name.endswith(_LEFT_OVER):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
