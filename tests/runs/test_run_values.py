"""Rows of any origin as JSON, with the answers beside the user's own columns."""

import datetime
import decimal
import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Prediction
from supertune.runs import json_value, prediction_row
from supertune.runs.values import free_name


def test_the_rows_own_columns_come_first_then_what_was_added():
    row = prediction_row({"id": 7, "text": "很好"}, 12, Prediction(0, "pos", {"pos": 0.9, "neg": 0.1}))
    assert list(row) == ["id", "text", "prediction", "scores", "row"]
    assert row == {"id": 7, "text": "很好", "prediction": "pos", "scores": {"pos": 0.9, "neg": 0.1}, "row": 12}


@pytest.mark.parametrize("label", ["1", 1, 1.0, True, False])
def test_labels_keep_their_json_type(label):
    stored = json.loads(json.dumps(prediction_row({}, 0, Prediction(0, label))))["prediction"]
    assert stored == label
    assert type(stored) is type(label)


def test_numpy_labels_become_plain_ones():
    assert type(prediction_row({}, 0, Prediction(0, np.int64(3)))["prediction"]) is int  # type: ignore[arg-type]


def test_without_scores_there_is_no_scores():
    assert "scores" not in prediction_row({"a": 1}, 0, Prediction(0, 2.5))


def test_columns_left_out_do_not_change_the_names_of_others():
    row = {"prediction": "theirs", "supertune_prediction": "too", "row": 5, "text": "secret"}
    made = prediction_row(row, 0, Prediction(0, "ours"), without=("text",))
    assert made["supertune_supertune_prediction"] == "ours"
    assert made["prediction"] == "theirs"
    assert (made["row"], made["supertune_row"]) == (5, 0)
    assert "text" not in made
    hidden = prediction_row(row, 0, Prediction(0, "ours"), without=("prediction", "text"))
    assert hidden["supertune_supertune_prediction"] == "ours"
    assert "prediction" not in hidden


@given(st.sets(st.sampled_from(["row", "supertune_row", "supertune_supertune_row", "x"])))
def test_a_free_name_is_free(taken):
    assert free_name("row", taken) not in taken


def test_values_from_arrow():
    table = pa.table(
        {
            "date": pa.array([datetime.date(2026, 1, 2)]),
            "time": pa.array([datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)]),
            "bytes": pa.array(["好".encode()]),
            "binary": pa.array([b"\xff\x00"]),
            "nan": pa.array([math.nan]),
            "none": pa.array([None], pa.int8()),
            "list": pa.array([[1.5, math.inf]]),
            "decimal": pa.array([decimal.Decimal("1.50")]),
            "struct": pa.array([{"a": b"x"}]),
        }
    )
    assert json_value(table.to_pylist()[0]) == {
        "date": "2026-01-02",
        "time": "2026-01-02T03:04:00+00:00",
        "bytes": "好",
        "binary": "/wA=",
        "nan": None,
        "none": None,
        "list": [1.5, None],
        "decimal": "1.50",
        "struct": {"a": "x"},
    }


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner) | st.sets(st.integers()),
    max_leaves=8,
)


@settings(deadline=None)
@given(anything)
def test_everything_becomes_json_that_utf8_can_hold(value):
    written = json.dumps(json_value(value), ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert json_value(json.loads(written)) == json.loads(written)
