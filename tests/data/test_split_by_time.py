"""Dividing by time: what is older is learned from."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.data import Table, shares_of, split_by_time
from supertune.errors import UserError


def table(times: list[Any]) -> Table:
    return Table.from_rows([{"text": f"text {place}", "when": when} for place, when in enumerate(times)])


@given(
    times=st.lists(st.integers(0, 40), min_size=10, max_size=80),
    sizes=st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_every_row_is_older_than_every_row_of_the_next_split(times: list[int], sizes: tuple[int, int]) -> None:
    shares = (1 - sum(sizes) / 100, sizes[0] / 100, sizes[1] / 100)
    try:
        splits = split_by_time(table(times), "when", shares)
    except UserError as error:
        assert "too few different times" in error.what  # noqa: PT017 - some draws cannot be divided, and say so
        return
    assert sorted(row for part in splits.values() for row in part.row_ids.tolist()) == list(range(len(times)))
    for part in splits.values():
        assert part.row_ids.tolist() == sorted(part.row_ids.tolist())
    ends = [(min(part.column("when")), max(part.column("when"))) for part in splits.values()]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_sizes_are_met_where_moments_are_told_apart() -> None:
    splits = split_by_time(table(list(range(100))[::-1]), "when", (0.7, 0.1, 0.2))
    assert {name: len(part) for name, part in splits.items()} == {"train": 70, "validation": 10, "test": 20}
    assert splits["test"].column("when") == list(range(99, 79, -1))
    assert splits["test"].lineage[-1].parameters["time"] == "when"
    assert list(split_by_time(table(list(range(10))), "when", (0.8, 0, 0.2))) == ["train", "test"]


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-31", "2024-02-01", "2024-02-01T00:00:01", "2024-02-01T03:00:00+02:00", "2025-01-01T00:00:00Z"],
        ["2023年12月31日", "2024年1月1日", "2024年1月10日 08:30", "2024年1月10日 08:31:05", "2024年2月1日"],
        ["2024/1/2", "2024/1/10", "2024/1/10 07:00", "2024/2/1", "2024.12.1"],
        [-1.5, 0, 2, 10, 1e9],
    ],
)
def test_times_as_people_write_them(times: list[Any]) -> None:
    shuffled = [times[place] for place in (3, 0, 4, 1, 2)]
    assert split_by_time(table(shuffled), "when", (0.6, 0.2, 0.2))["train"].column("when") == [
        times[place] for place in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["2024-01-01"] * 9 + ["soon"], "row 9 holds 'soon', which is no time"),
        (["2024-01-01"] * 9 + [None], "row 9 holds nothing, which is no time"),
        ([5] * 10, "too few different times"),
    ],
)
def test_what_is_no_time_is_told(times: list[Any], told: str) -> None:
    with pytest.raises(UserError) as error:
        split_by_time(table(times), "when", (0.8, 0.1, 0.1))
    assert told in error.value.message
    assert error.value.fix
    with pytest.raises(UserError, match="no column 'date'"):
        split_by_time(table(times), "date", (0.8, 0.1, 0.1))


@pytest.mark.parametrize(
    ("rows", "sizes", "shares"),
    [(1000, (0.1, 0.2), (0.7, 0.1, 0.2)), (1000, (50, 150), (0.8, 0.05, 0.15)), (10, (0, 1), (0.9, 0, 0.1))],
)
def test_sizes(rows: int, sizes: tuple[float, float], shares: tuple[float, ...]) -> None:
    assert shares_of(rows, *sizes) == pytest.approx(shares)


@pytest.mark.parametrize("sizes", [(-0.1, 0), (1.5, 0), (0, 1001), (float("nan"), 0), (0.5, 0.5), (500, 450)])
def test_sizes_that_cannot_be(sizes: tuple[float, float]) -> None:
    with pytest.raises(UserError) as error:
        shares_of(1000, *sizes)
    assert error.value.fix
