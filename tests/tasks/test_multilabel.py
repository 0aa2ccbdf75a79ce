"""Sets of labels: how they are written, and where probabilities become answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Columns, Features
from supertune.data import Table
from supertune.errors import UserError
from supertune.label_sets import best_separator, in_cell, label_sets
from supertune.tasks import Cut, MultilabelTask, chosen_cut, task_from_state

CELL = Columns(text=("text",), labels=("labels",), answers="sets")
BITS = Columns(text=("text",), labels=("cheap", "tasty"), answers="sets")


def table(**columns: list[Any]) -> Table:
    names = list(columns)
    return Table.from_rows(
        [{"text": "a", **dict(zip(names, row, strict=True))} for row in zip(*columns.values(), strict=True)]
    )


def fitted(columns: Columns, rows: Table) -> MultilabelTask:
    task = MultilabelTask(columns)
    task.fit_state(rows)
    return task


def features(task: MultilabelTask, rows: Table) -> Features:
    count = len(rows)
    ids = np.zeros(count, np.int32)
    return Features({"input_ids": ids}, np.arange(count + 1), task.targets(rows), np.arange(count), np.ones(count, int))


# ---------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("value", "separator", "labels"),
    [
        (["b", "a", "b"], None, ("b", "a")),
        ('["b", "a"]', None, ("b", "a")),
        ("['b', 'a']", None, ("b", "a")),
        ("[]", "|", ()),
        ([], None, ()),
        ("b | a |", "|", ("b", "a")),
        ("好吃、便宜", "、", ("好吃", "便宜")),
        ("New York, NY", None, ("New York, NY",)),
        ([1, 2.0, True], None, (1, 2, True)),
        (3, None, (3,)),
        (None, "|", None),
        (" \u200b", "|", None),
        (float("nan"), None, None),
    ],
)
def test_labels_are_read_as_people_write_them(value: object, separator: str | None, labels: object) -> None:
    found = in_cell(value, separator)
    assert found == labels
    assert labels is None or [type(label) for label in found] == [type(label) for label in labels]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([["a"]], "has ['a'] among its labels"),
        ([None], "has None among its labels"),
        ([1.5], "has 1.5 among its labels"),
        ({"a": 1}, "has {'a': 1} among its labels"),
        ('["a", "b"', "begins as a list and is none"),
        ("[a, b]", "begins as a list and is none"),
        ([" "], "has ' ' among its labels"),
    ],
)
def test_what_is_no_label_is_named_by_its_row(value: object, said: str) -> None:
    rows = Table.from_rows([{"text": "x", "labels": ["a"]}, {"text": "y", "labels": value}]) if isinstance(
        value, list
    ) else Table.from_rows([{"text": "x", "labels": value}])  # fmt: skip
    with pytest.raises(UserError) as caught:
        list(label_sets(rows, CELL))
    assert said in caught.value.what
    assert f"row {len(rows) - 1}" in caught.value.what
    assert caught.value.where == "column 'labels'"


def test_columns_of_bits_say_whether_their_label_applies() -> None:
    rows = table(cheap=[1, 0, 1, None], tasty=["true", "FALSE", "0", "1"])
    assert list(label_sets(rows, BITS)) == [("cheap", "tasty"), (), ("cheap",), None]
    with pytest.raises(UserError, match="has 2, which is neither 0 nor 1"):
        list(label_sets(table(cheap=[2], tasty=[0]), BITS))


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["a|b", "b", "c|a"], "|"),
        (["Food, Drink|Travel", "Travel", "Food, Drink"], "|"),
        (["红，蓝", "蓝", "绿，红"], "，"),
        (["a;b", "b;c", "a, big;b"], ";"),
        (["a", "b"], None),
        (['["a|b"]', None, 3], None),
    ],
)
def test_the_separator_is_the_one_that_leaves_the_fewest_labels(values: list[object], separator: str | None) -> None:
    assert best_separator(values) == separator


@given(
    st.lists(st.lists(st.sampled_from(["a", "b b", "c", "好"]), unique=True), min_size=1), st.sampled_from("|;,，、")
)
def test_what_is_joined_is_read_back(sets: list[list[str]], separator: str) -> None:
    assert [in_cell(separator.join(labels) or "[]", separator) for labels in sets] == [tuple(found) for found in sets]


# --------------------------------------------------------------------------------------------------------- the task


def test_no_label_is_an_answer_and_nothing_is_none() -> None:
    rows = table(labels=[["b", "a"], [], None, ["a"]])
    task = fitted(CELL, rows)
    assert task.labels == ("a", "b")
    encoded = features(task, rows)
    assert encoded.targets["labels"].tolist() == [[1, 1], [0, 0], [-1, -1], [1, 0]]
    assert task.labelled(encoded).tolist() == [True, True, False, True]
    outcome = task.outcome(np.zeros((4, 2), np.float32), encoded)
    assert outcome.targets.tolist() == [[True, True], [False, False], [True, False]]
    assert not task.cut.some
    assert fitted(CELL, table(labels=[["a"], ["b"], None])).cut.some


def test_columns_of_bits_keep_their_order_and_labels_that_no_row_has() -> None:
    task = fitted(BITS, table(cheap=[0, 0], tasty=[1, 0]))
    assert task.labels == ("cheap", "tasty")
    found = task.decode(np.array([[3.0, 5.0], [-1.0, -2.0]], np.float32), Features({}, np.arange(3), {}, np.arange(2), np.ones(2, int)))  # noqa: E501  # fmt: skip
    assert [prediction.prediction for prediction in found] == [["tasty", "cheap"], []]
    assert found[0].scores is not None
    assert list(found[0].scores) == ["cheap", "tasty"]


def test_labels_keep_their_json_type_and_are_compared_as_text() -> None:
    task = fitted(CELL, table(labels=[[3, 1], [2]]))
    assert task.labels == (1, 2, 3)
    rows = table(labels=["3|1", "2"])
    again = task_from_state("multilabel", {**task.state(), "separator": "|"})
    assert again.targets(rows)["labels"].tolist() == [[1, 0, 1], [0, 1, 0]]
    with pytest.raises(UserError, match="row 0 has the label '9', which is not among the labels learned"):
        again.targets(table(labels=["9"]))


def test_the_state_is_json_and_tells_everything() -> None:
    rows = table(labels=[["a"], ["a", "b"], ["b"]])
    task = fitted(CELL, rows)
    task = task.calibrated(np.array([[2.0, -3], [1, 2], [0.5, 1]], np.float32), features(task, rows))
    again = task_from_state("multilabel", task.state())
    assert again.state() == task.state()
    outputs = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    blank = Features({}, np.arange(21), {}, np.arange(20), np.ones(20, int))
    assert again.decode(outputs, blank) == task.decode(outputs, blank)


def test_nothing_to_learn_is_said() -> None:
    with pytest.raises(UserError, match="no training row has a label"):
        fitted(CELL, table(labels=[[], []]))


# ------------------------------------------------------------------------------------------------------- thresholds


def test_the_nearest_label_is_given_where_every_row_has_one() -> None:
    probabilities = np.array([[0.1, 0.3], [0.6, 0.9], [0.45, 0.2]])
    thresholds = np.array([0.5, 0.5])
    assert Cut(thresholds, some=True).given(probabilities).tolist() == [[False, True], [True, True], [True, False]]
    assert Cut(thresholds, some=False).given(probabilities).tolist() == [[False, False], [True, True], [False, False]]
    assert Cut(thresholds, some=True).given(np.zeros((0, 2))).shape == (0, 2)


def test_a_frequent_label_has_the_threshold_that_is_best_for_it() -> None:
    random = np.random.default_rng(0)
    truth = np.column_stack([random.random(4000) < 0.5, random.random(4000) < 0.1])
    # The first is told too timidly, the second too boldly.
    logits = 3 * (truth - 0.5) + random.normal(size=truth.shape) + np.array([-2.0, 2.0])
    probabilities = 1 / (1 + np.exp(-logits))
    cut = chosen_cut(probabilities, truth, some=False)
    assert cut.thresholds[0] < 0.3
    assert cut.thresholds[1] > 0.8
    for label in range(2):
        best = max(_f1(probabilities[:, label] >= at, truth[:, label]) for at in np.linspace(0.02, 0.98, 97))
        assert _f1(probabilities[:, label] >= cut.thresholds[label], truth[:, label]) > best - 0.01


def test_a_rare_label_is_drawn_to_where_the_others_are_cut() -> None:
    random = np.random.default_rng(1)
    truth = random.random((2000, 3)) < np.array([0.4, 0.4, 0.0])
    probabilities = 1 / (1 + np.exp(-(4 * (truth - 0.5) + random.normal(size=truth.shape))))
    # The one row with the third label has the lowest probability of all.
    truth[0, 2], probabilities[0, 2] = True, 0.001
    cut = chosen_cut(probabilities, truth, some=False)
    assert abs(cut.thresholds[2] - cut.thresholds[:2].mean()) < 0.35
    nothing = chosen_cut(probabilities, np.zeros_like(truth), some=False)
    assert nothing.thresholds.tolist() == [0.5, 0.5, 0.5]


def _f1(given_labels: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (given_labels & truth).sum() / max(given_labels.sum() + truth.sum(), 1))
