"""events.jsonl survives a writer that is killed between any two bytes."""

import datetime
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Event
from supertune.errors import UserError
from supertune.runs.events import append_event, read_events


def test_a_line_has_time_step_event_and_values(tmp_path):
    path = tmp_path / "events.jsonl"
    append_event(path, Event("step", 3, {"loss": 0.5, "rate": math.nan, "note": "好\n的"}))
    (line,) = path.read_text("utf-8").splitlines()
    row = json.loads(line)
    assert datetime.datetime.fromisoformat(row.pop("time")).utcoffset() == datetime.timedelta(0)
    assert row == {"step": 3, "event": "step", "loss": 0.5, "rate": None, "note": "好\n的"}


def test_values_cannot_hide_the_events_own_fields(tmp_path):
    with pytest.raises(ValueError, match="time"):
        append_event(tmp_path / "events.jsonl", Event("step", 1, {"time": 3}))


@settings(deadline=None, max_examples=50)
@given(cut=st.integers(0, 400), note=st.text(max_size=300))
def test_cut_anywhere_the_whole_lines_remain_and_writing_goes_on(tmp_path_factory, cut, note):
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    for step in range(3):
        append_event(path, Event("step", step, {"note": note}))
    content = path.read_bytes()[: -cut or None]
    path.write_bytes(content)
    whole = content.count(b"\n")
    assert [row["step"] for row in read_events(path)] == list(range(whole))
    append_event(path, Event("resumed", 9))
    assert [row["step"] for row in read_events(path)] == [*range(whole), 9]
    assert path.read_bytes().endswith(b"\n")


def test_a_torn_line_longer_than_a_block_is_removed(tmp_path):
    path = tmp_path / "events.jsonl"
    append_event(path, Event("start", 0))
    with path.open("ab") as stream:
        stream.write(b'{"note": "' + b"x" * 20_000)
    append_event(path, Event("resumed", 1))
    assert [row["event"] for row in read_events(path)] == ["start", "resumed"]


@pytest.mark.parametrize("damage", ["{nonsense", "[]", ""])
def test_damage_in_the_middle_is_named(tmp_path, damage):
    path = tmp_path / "events.jsonl"
    path.write_text(f'{{"step": 0}}\n{damage}\n{{"step": 2}}\n')
    with pytest.raises(UserError, match="damaged") as caught:
        read_events(path)
    assert caught.value.where == f"{path}:2"


def test_a_run_without_events(tmp_path):
    assert read_events(tmp_path / "events.jsonl") == []
