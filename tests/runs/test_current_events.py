"""What of events.jsonl stands after interruptions and new starts, and reading it while it is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_samples import histories, row, training_rows
from supertune.contracts import Event
from supertune.errors import UserError
from supertune.runs import Course, EventTail, current_events
from supertune.runs.events import append_event, event_row, read_events

MEASURED = ("step", "epoch", "validation", "best")


def measured(rows):
    return [one for one in rows if one["event"] in MEASURED]


@given(histories())
def test_what_stands_is_what_the_training_remembers(history):
    written, stands = history
    assert sorted(measured(current_events(written)), key=lambda one: one["number"]) == stands


@given(histories())
def test_the_course_told_one_row_at_a_time_has_the_same_curves(history):
    written, stands = history
    standing = current_events(written)
    assert current_events(standing) == standing
    told, sifted = Course(written), Course(standing)
    assert told.seed == sifted.seed
    numbers = []
    assert told.step == sifted.step
    for seed in range(told.seed + 1):
        assert told.of(seed) == sifted.of(seed)
        numbers += told.of(seed).losses
        numbers += [one["loss"] for name in ("epochs", "validations", "bests") for one in getattr(told.of(seed), name)]
    assert sorted(numbers) == [one["number"] for one in stands]


def test_work_done_twice_counts_once():
    rows = [*training_rows(epochs=2, steps_per_epoch=3), row("resumed", 3), row("step", 4, loss=9.0)]
    assert [one["step"] for one in current_events(rows) if one["event"] == "step"] == [1, 2, 3, 4]
    assert current_events(rows)[-1]["loss"] == 9.0
    assert [one["epoch"] for one in current_events(rows) if one["event"] == "best"] == [1]


def test_marks_of_where_training_began_stand_however_late_they_are():
    rows = [row("start", 0), row("step", 1), row("resumed", 1), row("step", 2), row("resumed", 0)]
    assert [one["event"] for one in current_events(rows)] == ["start", "resumed", "resumed"]


def test_a_restart_voids_everything_before_it_and_the_last_one_counts():
    rows = [row("start", 0), row("step", 1), row("restart", 1), row("step", 1), row("restart", 1), row("step", 1)]
    assert current_events(rows) == [rows[0], *rows[4:]]


def test_a_start_begins_from_nothing():
    rows = [row("start", 0), row("step", 1), row("start", 0), row("step", 1)]
    assert current_events(rows) == rows[2:]


def test_seeds_leave_each_other_alone():
    first = [row("start", 0, seed=7), row("step", 1), row("step", 2)]
    second = [row("start", 0, seed=8), row("step", 1), row("step", 2), row("resumed", 1), row("step", 2)]
    third = [row("restart", 2), row("start", 0, seed=9), row("step", 1)]
    assert current_events(first + second) == first + second[:2] + second[3:]
    assert current_events(first + second + third) == [*first, second[0], second[3], *third]


def test_a_restart_that_is_told_again_after_an_interruption_leaves_the_new_seed_alone():
    degenerate = [row("start", 0, seed=0), row("step", 1)]
    new = [row("start", 0, seed=1), row("step", 1), row("step", 2), row("step", 3)]
    resumed = [row("resumed", 1, seed=0), row("restart", 1), row("resumed", 2, seed=1), row("step", 3)]
    course = Course([*degenerate, row("restart", 1), *new, *resumed])
    assert list(course.curves.steps) == [1, 2, 3]
    assert not course.of(0).steps


@given(st.lists(st.text(max_size=40), max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_a_file_that_grows_byte_by_byte_gives_each_line_once(tmp_path_factory, notes, pieces):
    path = tmp_path_factory.mktemp("tail") / "events.jsonl"
    tail = EventTail(path)
    assert list(tail.new()) == []
    rows = [{"step": step, "note": note} for step, note in enumerate(notes)]
    content = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows).encode()
    read, position = [], 0
    for size in [*pieces, len(content)]:
        with path.open("ab") as stream:
            stream.write(content[position : position + size])
        position += size
        read += tail.new()
        assert read == rows[: content[:position].count(b"\n")]
    assert read == rows


def test_only_what_is_new_is_read(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    append_event(path, Event("start", 0))
    assert [one["event"] for one in tail.new()] == ["start"]
    # What was read already may even be damaged: nobody looks at it again.
    content = bytearray(path.read_bytes())
    content[0:5] = b"xxxxx"
    path.write_bytes(content)
    append_event(path, Event("step", 1))
    assert [one["event"] for one in tail.new()] == ["step"]


def test_a_torn_line_that_a_resumed_run_replaces_is_never_seen(tmp_path):
    path = tmp_path / "events.jsonl"
    append_event(path, Event("step", 1))
    with path.open("ab") as stream:
        stream.write(b'{"step": 2, "event": "st')
    tail = EventTail(path)
    assert [one["step"] for one in tail.new()] == [1]
    append_event(path, Event("resumed", 0))
    assert [one["event"] for one in tail.new()] == ["resumed"]


def test_a_file_that_became_shorter_and_a_damaged_line_are_named(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    path.write_text('{"step": 0}\n{"step": 1}\n')
    assert len(list(tail.new())) == 2
    with path.open("a") as stream:
        stream.write('{"step": 2}\nnonsense\n')
    with pytest.raises(UserError) as caught:
        list(tail.new())
    assert caught.value.where == f"{path}:4"
    path.write_text("")
    with pytest.raises(UserError, match="shorter"):
        list(tail.new())


def test_lines_across_the_blocks_that_are_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("supertune.runs.events._CHUNK", 7)
    path = tmp_path / "events.jsonl"
    for step in range(20):
        append_event(path, Event("step", step, {"note": "好" * step}))
    assert [one["note"] for one in read_events(path)] == ["好" * step for step in range(20)]


def test_an_event_as_a_row_is_what_the_file_would_hold(tmp_path):
    event = Event("step", 3, {"loss": float("nan"), "items": 16})
    append_event(tmp_path / "events.jsonl", event)
    (stored,) = read_events(tmp_path / "events.jsonl")
    assert {**event_row(event), "time": ""} == {**stored, "time": ""}
