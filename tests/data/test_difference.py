"""How two tables differ, beside a slow way to tell."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import supertune
from supertune.data import Table, difference
from warm_processes import supertune_command

ROWS = st.lists(
    st.fixed_dictionaries({"text": st.sampled_from("abcde你"), "label": st.sampled_from([0, 1, None])}), max_size=12
)


def table(rows: list[dict[str, Any]]) -> Table:
    # A first row that is always the same gives every table its columns.
    return Table.from_rows([{"text": "first", "label": 7}, *rows])


@given(before=ROWS, after=ROWS)
def test_every_row_is_told_once(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    one, other = table(before), table(after)
    found = difference(one, other, ["text"])
    values = [Counter(json.dumps(row) for row in each.rows()) for each in (one, other)]
    assert found.same == (values[0] & values[1]).total()
    assert found.same + len(found.changed) + len(found.removed) == len(one)
    assert found.same + len(found.changed) + len(found.added) == len(other)
    for old, new in found.changed:
        assert one.row(old)["text"] == other.row(new)["text"]
        assert one.row(old) != other.row(new)
    left = {one.row(place)["text"] for place in found.removed}
    assert not left & {other.row(place)["text"] for place in found.added}
    back = difference(other, one, ["text"])
    assert (back.same, len(back.changed)) == (found.same, len(found.changed))
    assert (len(back.removed), len(back.added)) == (len(found.added), len(found.removed))


def test_what_changed_into_what_is_counted() -> None:
    before = table([{"text": text, "label": 0} for text in "abc"])
    after = table([{"text": "b", "label": 1}, {"text": "a", "label": 1}, {"text": "d", "label": 0}])
    found = difference(before, after, ["text"])
    assert found.changed == ((1, 2), (2, 1))
    assert (found.removed, found.added) == ((3,), (3,))
    assert found.values == {"label": {("0", "1"): 2}}
    assert not found.moved
    turned = difference(before, before.select([3, 2, 1, 0], step="turned"), ["text"])
    assert turned.same == 4
    assert turned.moved


def test_columns_may_come_and_go() -> None:
    found = difference(Table.from_rows([{"text": "a", "old": 1}]), Table.from_rows([{"text": "a", "new": 2}]), ["text"])
    assert (found.same, found.columns_removed, found.columns_added) == (1, ("old",), ("new",))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    rows = [{"text": f"<b>text {number}</b>", "label": number % 2} for number in range(20)]
    supertune.clean([*rows, rows[0]], steps=["exact-duplicates"], out=folder / "one")
    supertune.clean(rows, steps=["html", {"labels": {"map": {1: 5}}}], out=folder / "two")
    return folder


def test_the_history_of_rows(sets: Path) -> None:
    done = supertune_command("data", "log", str(sets / "one"))
    assert done.code == 0, done.said
    assert "clean:exact-duplicates" in done.printed
    told = json.loads(supertune_command("data", "log", str(sets / "one"), "--json").printed)
    assert [step["name"] for step in told["all"]["steps"]] == ["read", "clean:exact-duplicates", "read"]
    assert told["all"]["rows"] == 20


def test_two_sets_beside_each_other(sets: Path) -> None:
    done = supertune_command("data", "diff", str(sets / "one"), str(sets / "two"))
    assert done.code == 0, done.said
    assert "0 the same, 0 changed, 20 removed, 20 added" in done.printed
    assert '- row 0: {"text": "<b>text 0</b>"' in done.printed
    relabelled = sets / "relabelled.jsonl"
    relabelled.write_text("".join(f'{{"text": "text {n}", "label": {n % 2}}}\n' for n in range(20)), encoding="utf-8")
    told = json.loads(supertune_command("data", "diff", str(sets / "two"), str(relabelled), "--json").printed)
    assert told["all"]["same"] == 10
    assert told["all"]["values"] == {"label": [{"before": 5, "after": 1, "rows": 10}]}


def test_what_cannot_be_compared_is_told(sets: Path) -> None:
    done = supertune_command("data", "diff", str(sets / "one"), str(sets / "nowhere"))
    assert done.code == 2
    assert "no such file" in done.said
