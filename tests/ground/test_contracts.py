"""The values that pass between rooms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from supertune import contracts
from supertune.contracts import Event, Features, Finding, Outcome, Score, worst


def test_values_cannot_be_changed() -> None:
    for value in (Event("step", 1), Score(0.5, 0.4, 0.6, 10, "accuracy"), Finding("a", "info", "m", "f")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.step = 2  # type: ignore[union-attr]


def test_a_score_stores_its_warning_only_when_there_is_one() -> None:
    plain = Score(0.5, 0.4, 0.6, 10, "accuracy|v1").as_dict()
    assert plain == {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10, "signature": "accuracy|v1"}
    warned = dataclasses.replace(Score(0.5, 0.4, 0.6, 10, "x"), warning="few rows").as_dict()
    assert warned["warning"] == "few rows"


def test_the_worst_severity() -> None:
    findings = [Finding("a", severity, "m", "f") for severity in contracts.SEVERITIES]
    assert [worst(findings[:count]) for count in range(4)] == [None, "info", "warning", "error"]
    assert worst(reversed(findings)) == "error"


def test_lengths_of_features_and_outcomes() -> None:
    features = Features({}, np.array([0, 3, 3, 7]), {}, np.arange(3), np.zeros(3, np.int64))
    assert len(features) == 3
    assert features.lengths.tolist() == [3, 0, 4]
    assert len(Outcome(np.zeros(4), np.zeros((4, 2)))) == 4


def test_everything_offered_exists() -> None:
    assert all(hasattr(contracts, name) for name in contracts.__all__)
    assert sorted(contracts.__all__, key=str) == sorted(set(contracts.__all__))
