"""How often few rows are gone over, how many lines tell it, and when a checkpoint is worth its time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from supertune.console import Console
from supertune.contracts import Event
from supertune.errors import UserError
from supertune.recipes import consumers
from supertune.recipes.consumers import Checkpoints, Progress
from supertune.recipes.start import MOST_EPOCHS_WRITTEN, auto_epochs
from supertune.train.checkpoints import CheckpointWriter


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [(1, 100), (20, 100), (48, 100), (50, 75), (100, 43), (500, 10), (858, 6), (1600, 3), (100_000, 3)],
)
def test_few_rows_are_gone_over_until_there_were_three_hundred_steps(rows: int, epochs: int) -> None:
    assert auto_epochs(rows, 16) == epochs
    assert auto_epochs(rows, 16, 2.0) == pytest.approx(2 * epochs, abs=1)


def test_who_learns_to_write_goes_over_few_rows_less_often() -> None:
    assert auto_epochs(20, 16, most=MOST_EPOCHS_WRITTEN) == 20


@pytest.mark.parametrize(("epochs", "told"), [(3, [1, 2, 3]), (20, list(range(1, 21))), (50, [*range(3, 50, 3), 50])])
def test_many_epochs_are_told_in_twenty_lines_and_the_last_is_among_them(
    epochs: int, told: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress(Console(), lambda done, note="": None, "accuracy", epochs)
    for epoch in range(1, epochs + 1):
        values: dict[str, Any] = {"epoch": epoch, "log_loss": 0.5, "accuracy": 0.5, "loss": 0.4}
        list(progress(Event("epoch", epoch, values)))
        list(progress(Event("validation", epoch, values)))
    lines = capsys.readouterr().err.splitlines()
    assert [int(line.split("/")[0].split()[1]) for line in lines] == told
    assert len(lines) <= 20


class Disk:
    """A writer that takes a known time for everything it saves."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.saved = seconds, list[int]()
        self._told: list[Any] = []

    def save(self, step: int, state: object, *, wait: bool = False) -> bool:
        self.saved.append(step)
        self._told.append(consumers.Written(step, cast(Any, None), self.seconds))
        return True

    def poll(self) -> list[Any]:
        told, self._told = self._told, []
        return told

    close = poll


@pytest.mark.parametrize(
    ("seconds", "every", "saved"),
    [(0.01, None, list(range(1, 11))), (1.0, None, [1]), (0.1, None, [1, 3, 5, 7, 9]), (1.0, 100, list(range(1, 11)))],
)
def test_an_epoch_is_saved_where_that_costs_a_twentieth(
    seconds: float, every: int | None, saved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(consumers, "time", SimpleNamespace(monotonic=lambda: now[0]))
    disk = Disk(seconds)
    checkpoints = Checkpoints(cast(CheckpointWriter, disk), cast(Callable[[], Any], dict), every, Console(quiet=True))
    events: list[Iterable[Any]] = []
    for epoch in range(1, 11):
        # An epoch lasts a second.
        now[0] = float(epoch)
        events.append(list(checkpoints(Event("validation", epoch, {}))))
    assert disk.saved == saved
    list(checkpoints.finish(10))
    assert disk.saved == (saved if saved[-1] == 10 else [*saved, 10])


def test_what_was_not_saved_is_saved_at_the_end_and_a_full_disk_is_no_cost() -> None:
    told = consumers.NotWritten(1, UserError("is full", where="disk", fix="make room"))
    disk = Disk(1.0)
    disk._told.append(told)
    checkpoints = Checkpoints(cast(CheckpointWriter, disk), cast(Callable[[], Any], dict), None, Console(quiet=True))
    assert [event.event for event in checkpoints(Event("step", 1, {}))] == ["checkpoint_failed"]
    list(checkpoints.finish(7))
    assert disk.saved == [7]
