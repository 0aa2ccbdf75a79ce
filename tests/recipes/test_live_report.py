"""The report of a run in progress: written when it is time, never in the way of training."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from event_samples import training_rows
from supertune.contracts import Event, Finding
from supertune.errors import InterruptedRunError, UserError
from supertune.recipes.live import EVERY, LivePage, LiveReport
from supertune.runs import RunStore, create_run

PAGE = LivePage("f1_macro", (Finding("imbalance", "info", "six times the rows", "balance"),), 612, {"model": "minilm"})


class Clock:
    """Time that passes when told, and a little with every page that is written."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return create_run(tmp_path / "run", task="classification", command=["supertune"], config_yaml="task: {}\n")


def events(**changes: int) -> Iterator[Event]:
    for row in training_rows(**changes):
        yield Event(
            row["event"], row["step"], {name: row[name] for name in row if name not in ("time", "step", "event")}
        )


def written(store: RunStore) -> str:
    path = store.path / "report.html"
    return path.read_text("utf-8") if path.exists() else ""


def pages(store: RunStore, clock: Clock, *, pace: float, cost: float = 0.0, **changes: int) -> list[float]:
    """When a page was written in a training of one step every ``pace`` seconds, if each takes ``cost`` seconds."""
    times = []

    class Slow(RunStore):
        def write_report(self, html: str) -> Path:
            times.append(clock.now)
            clock.now += cost
            return super().write_report(html)

    live = LiveReport(Slow(store.path, dict(store.manifest)), PAGE, pytest.fail, clock)
    for event in events(**changes):
        clock.now += pace if event.event == "step" else 0.0
        assert list(live(event)) == []
    return times


def test_a_page_comes_every_twenty_seconds_and_after_each_epoch(store: RunStore) -> None:
    times = pages(store, Clock(), pace=1.0, epochs=3, steps_per_epoch=70)
    # After three seconds, every twenty, and with the first step of the second and the third epoch.
    assert times == [3, 23, 43, 63, 71, 91, 111, 131, 141, 161, 181, 201]
    assert times[1] - times[0] == EVERY


def test_pages_take_at_most_a_hundredth_of_the_time(store: RunStore) -> None:
    clock = Clock()
    times = pages(store, clock, pace=0.01, cost=0.05, epochs=500, steps_per_epoch=20)
    assert 0.05 * len(times) <= 0.01 * clock.now + 0.05
    assert len(times) > 15


def test_the_page_holds_what_was_measured_and_found(store: RunStore) -> None:
    live = LiveReport(store, PAGE, pytest.fail)
    for event in events(epochs=2, steps_per_epoch=20):
        live(event)
    assert not written(store)
    live.write()
    page = written(store)
    assert "Step 40 of 40" in page
    assert "saved and measured" in page
    assert "six times the rows" in page
    assert "612" in page
    assert "minilm" in page
    assert page.count("<svg") == 3
    assert 'http-equiv="refresh"' in page


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (InterruptedRunError("interrupted"), "interrupted"),
        (UserError("training diverged at step 3"), "failed"),
        (ZeroDivisionError("secret"), "failed"),
    ],
)
def test_a_run_that_ends_badly_leaves_a_page_that_says_so(store: RunStore, error: BaseException, status: str) -> None:
    def train() -> None:
        with LiveReport(store, PAGE, pytest.fail) as live:
            for event in events(epochs=1):
                live(event)
            raise error

    with pytest.raises(type(error)):
        train()
    page = written(store)
    assert f"This run {'was interrupted' if status == 'interrupted' else 'failed'}" in page
    assert ("training diverged at step 3" in page) == isinstance(error, UserError)
    assert "secret" not in page
    assert 'http-equiv="refresh"' not in page


def test_a_run_that_ends_well_is_left_to_the_final_report(store: RunStore) -> None:
    with LiveReport(store, PAGE, pytest.fail) as live:
        live.write()
        store.write_report("final")
    assert written(store) == "final"


def test_a_resumed_run_shows_what_was_done_before(store: RunStore) -> None:
    for event in events(epochs=2, steps_per_epoch=20):
        if event.event != "best":
            store.append_event(event)
    live = LiveReport(store, PAGE, pytest.fail)
    live(Event("resumed", 30))
    live(Event("step", 31, {"loss": 0.5, "items": 16}))
    live.write()
    (count,) = re.findall(r"training: (\d+) points", written(store))
    assert count == "31"
    assert "validation: 1 points" in written(store)


def test_a_full_disk_is_said_once_and_training_goes_on(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    live = LiveReport(store, PAGE, said.append)
    live.write()
    before = written(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for event in events(epochs=1):
        live(event)
    live.write()
    live.write()
    assert len(said) == 1
    assert "no space left" in said[0]
    assert "training goes on" in said[0]
    assert written(store) == before
    monkeypatch.undo()
    live.write()
    assert written(store) != before
    assert [path.name for path in store.path.iterdir() if path.name.startswith(".")] == []


def test_an_error_that_nobody_has_words_for_does_no_harm_either(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    LiveReport(store, PAGE, said.append).write()
    assert len(said) == 1
