"""Columns of several labels: found, checked by the gate, and divided so that rare labels come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from supertune.contracts import Columns
from supertune.data import CheckInput, Table, infer_columns, run_checks, split_table
from supertune.errors import UserError

SETS = Columns(("text",), ("labels",), answers="sets")


def table(rows: int = 60, **columns: Any) -> Table:
    """Rows with a sentence each and the columns' values by row."""
    made = [{name: values(row) for name, values in columns.items()} for row in range(rows)]
    return Table.from_rows([{"text": f"this is the sentence number {row}", **made[row]} for row in range(rows)])


def found(rows: Table, **options: Any) -> Columns:
    return infer_columns(rows, answers="sets", **options)


def names(row: int) -> list[str]:
    return [name for bit, name in enumerate("abc") if (row >> bit) & 1]


@pytest.mark.parametrize(
    ("columns", "labels", "separator"),
    [
        ({"labels": names}, ("labels",), None),
        ({"标签": lambda row: "、".join(names(row)) or "[]"}, ("标签",), "、"),
        ({"tags": lambda row: "|".join(names(row)) or "[]", "id": lambda row: row}, ("tags",), "|"),
        ({"kinds of it": lambda row: "; ".join(names(row)) or "[]"}, ("kinds of it",), ";"),
        ({"cheap": lambda row: row % 2, "tasty": lambda row: row % 3 == 0}, ("cheap", "tasty"), None),
        ({"labels": lambda row: f"['{'abc'[row % 3]}']"}, ("labels",), None),
    ],
)  # fmt: skip
def test_columns_are_found_with_what_stands_between_labels(
    columns: dict[str, Any], labels: tuple[str, ...], separator: str | None
) -> None:
    inferred = found(table(**columns))
    assert inferred.labels == labels
    assert inferred.text == ("text",)
    assert inferred.separator == separator
    assert inferred.answers == "sets"
    assert any(labels[0] in told for told in inferred.announcements)
    assert separator is None or any(repr(separator) in told for told in inferred.announcements)


def test_what_is_named_wins() -> None:
    rows = table(
        labels=lambda row: "|".join(names(row)) or "[]", cheap=lambda row: row % 2, dear=lambda row: 1 - row % 2
    )
    assert found(rows, label=["cheap", "dear"]).labels == ("cheap", "dear")
    assert found(rows, label="labels", separator=";").separator == ";"
    with pytest.raises(UserError, match="2 label columns were named"):
        infer_columns(rows, label=["cheap", "dear"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"labels": lambda row: f"label {row}"}, "60 of 60 labels differ"),
        ({"labels": lambda row: row / 7}, "holds numbers with fractions"),
        ({"labels": lambda row: None}, "holds nothing but empty values"),
        ({"labels": lambda row: {"a": 1}}, "among its labels"),
        ({"number": lambda row: row}, "no column looks like several labels"),
    ],
)
def test_columns_without_labels_are_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        found(table(**columns))


def test_the_gate_counts_the_rows_of_each_label() -> None:
    rows = table(labels=lambda row: ["common", *(["rare"] if row < 4 else []), *(["once"] if row == 9 else [])])
    findings = {(f.check, f.severity): f for f in run_checks(CheckInput({"all": rows}, SETS))}
    assert findings["rare-classes", "error"].rows == (9,)
    assert '"once" (1)' in findings["rare-classes", "error"].message
    assert findings["rare-classes", "warning"].rows == (0, 1, 2, 3)
    assert '"common" (60), has 60 times' in findings["imbalance", "warning"].message
    assert "f1_micro" in findings["imbalance", "warning"].fix


def test_equal_texts_with_unequal_sets_contradict_each_other_in_any_order() -> None:
    rows = Table.from_rows(
        [{"text": f"text {row // 2}", "labels": ["a", "b"] if row % 2 else ["b", "a"]} for row in range(20)]
        + [{"text": "one", "labels": ["a"]}, {"text": "one", "labels": []}]
    )
    findings = {finding.check: finding for finding in run_checks(CheckInput({"all": rows}, SETS))}
    assert findings["label-conflicts"].rows == (20, 21)
    assert len(findings["exact-duplicates"].rows) == 10


def test_labels_that_train_lacks_are_named() -> None:
    train = table(labels=lambda row: ["a", "b"] if row % 2 else ["a"])
    test = table(3, labels=lambda row: ["a", "new"] if row == 1 else ["b"])
    findings = run_checks(CheckInput({"train": train, "test": test}, SETS, given_splits=True), only=["rare-classes"])
    assert [(finding.split, finding.rows) for finding in findings] == [("test", (1,))]
    assert '"new" (1)' in findings[0].message


def test_a_row_without_labels_is_no_row_without_an_answer() -> None:
    nothing = table(labels=lambda row: [])
    (finding,) = run_checks(CheckInput({"all": nothing}, SETS), only=["rare-classes"])
    assert "no training row has both a text and a label" in finding.message
    one = table(labels=lambda row: ["a"] if row % 2 else [])
    assert run_checks(CheckInput({"all": one}, SETS), only=["rare-classes"]) == []


def test_rare_labels_come_out_in_every_split() -> None:
    rows = table(600, labels=lambda row: [*(["rare"] if row % 30 == 0 else []), *names(row)])
    for seed in range(5):
        parts = split_table(rows, SETS, fractions=(0.8, 0.1, 0.1), seed=seed)
        shares = {
            split: np.mean(["rare" in labels for labels in part.column("labels")]) for split, part in parts.items()
        }
        assert sum(map(len, parts.values())) == 600
        for split in ("train", "validation", "test"):
            assert shares[split] == pytest.approx(1 / 30, abs=0.018), (seed, split)
