"""Numbers in the user's units outside and standardised inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Columns, Features
from supertune.data import Table
from supertune.errors import UserError
from supertune.tasks import RegressionTask, task_from_state

ONE = Columns(text=("text",), labels=("score",))
TWO = Columns(text=("text",), labels=("score", "price"))


def table(**columns: list[Any]) -> Table:
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    return Table.from_rows([{"text": "a", **dict(zip(names, row, strict=True))} for row in rows])


def fitted(columns: Columns, rows: Table) -> RegressionTask:
    task = RegressionTask(columns)
    task.fit_state(rows)
    return task


def features(task: RegressionTask, rows: Table) -> Features:
    count = len(rows)
    ids, offsets = np.zeros(count, np.int32), np.arange(count + 1)
    return Features({"input_ids": ids}, offsets, task.targets(rows), np.arange(count), np.ones(count, np.int64))


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=20).filter(lambda values: np.std(values) > 1e-3),
)
def test_what_is_standardised_comes_back(values: list[float]) -> None:
    rows = table(score=values)
    task = fitted(ONE, rows)
    standardised = task.targets(rows)["labels"]
    assert abs(float(standardised.mean())) < 1e-3
    assert float(standardised.std()) == pytest.approx(1, rel=1e-3)
    outcome = task.outcome(standardised, features(task, rows))
    np.testing.assert_allclose(outcome.targets[:, 0], values, atol=1e-4 * np.std(values))
    np.testing.assert_allclose(outcome.outputs, outcome.targets, atol=1e-4 * np.std(values))


def test_the_state_is_json_and_tells_everything() -> None:
    task = fitted(TWO, table(score=[1, 2, 3], price=[0.5, 10.25, 7.0]))
    again = task_from_state("regression", task.state())
    assert again.state() == task.state()
    assert again.columns.labels == ("score", "price")
    outputs = np.array([[0.3, -0.2], [1.0, 2.0]], np.float32)
    blank = Features({}, np.arange(3), {}, np.arange(2), np.ones(2, np.int64))
    assert again.decode(outputs, blank) == task.decode(outputs, blank)


def test_ratings_are_rounded_onto_their_scale_and_told_exactly_beside() -> None:
    task = fitted(ONE, table(score=[1, 2, 3, 4, 5]))
    outputs = (np.array([[-9.0], [2.4], [2.6], [99.0]]) - 3) / np.std([1, 2, 3, 4, 5])
    blank = Features({}, np.arange(5), {}, np.arange(4), np.ones(4, np.int64))
    found = task.decode(outputs.astype(np.float32), blank)
    assert [prediction.prediction for prediction in found] == [1, 2, 3, 5]
    assert all(isinstance(prediction.prediction, int) for prediction in found)
    assert found[1].scores is not None
    assert found[1].scores["score"] == pytest.approx(2.4, abs=1e-5)


def test_measurements_are_not_rounded_and_may_leave_the_range() -> None:
    task = fitted(ONE, table(score=[1.5, 2.25, 3.0]))
    blank = Features({}, np.arange(2), {}, np.arange(1), np.ones(1, np.int64))
    (found,) = task.decode(np.array([[10.0]], np.float32), blank)
    assert isinstance(found.prediction, float)
    assert found.prediction > 3
    assert found.scores is None


def test_several_columns_are_answered_by_name() -> None:
    task = fitted(TWO, table(score=[1.5, 2.5], price=[10.5, 20.5]))
    blank = Features({}, np.arange(2), {}, np.arange(1), np.ones(1, np.int64))
    (found,) = task.decode(np.zeros((1, 2), np.float32), blank)
    assert found.prediction == {"score": 2.0, "price": 15.5}


def test_rows_without_a_number_are_neither_learned_nor_scored() -> None:
    rows = table(score=[1.5, None, 3.0, 4.0], price=[1.5, 2.0, None, 4.0])
    task = fitted(TWO, rows)
    encoded = features(task, rows)
    assert task.labelled(encoded).tolist() == [True, False, False, True]
    assert len(task.outcome(np.zeros((4, 2), np.float32), encoded)) == 2


def test_whole_truths_are_whole_again_and_others_are_left_alone() -> None:
    learned = fitted(ONE, table(score=[1, 2, 3, 4, 5, 6, 7]))
    rows = table(score=[3.0, 2.5])
    outcome = learned.outcome(np.zeros((2, 1), np.float32), features(learned, rows))
    assert outcome.targets[0, 0] == 3.0
    assert outcome.targets[1, 0] == pytest.approx(2.5, abs=1e-6)


def test_numbers_written_as_text_count() -> None:
    task = fitted(ONE, table(score=["1.5", " 2e1 ", ""]))
    assert task.scales[0].high == 20


@pytest.mark.parametrize("value", ["good", "inf", True, "1,5"])
def test_what_is_no_number_is_told_with_its_row(value: object) -> None:
    rows = table(score=["1", "2", str(value)]) if isinstance(value, str) else table(score=[value, value])
    with pytest.raises(UserError) as caught:
        fitted(ONE, rows)
    assert f"row {2 if isinstance(value, str) else 0} has {value!r}" in caught.value.what
    assert caught.value.where == "column 'score'"


def test_the_same_number_everywhere_is_nothing_to_learn() -> None:
    with pytest.raises(UserError, match="nothing to learn") as caught:
        fitted(ONE, table(score=[2.5, 2.5, None]))
    assert caught.value.where == "column 'score'"
