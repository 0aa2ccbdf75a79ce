"""Known answers of the checks that count classes: imbalance and rare classes."""

from dataclasses import replace

import pytest

from supertune.contracts import Columns
from supertune.data.check import CheckInput, run_checks
from supertune.data.table import Table
from supertune.errors import UserError

COLUMNS = Columns(("text",), ("label",))


def table(labels, blank=0):
    """One row per label, the first ``blank`` without text."""
    texts = [" " if row < blank else f"第 {row} 行" for row in range(len(labels))]
    return Table.from_rows([{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)])


def found(name, **labels):
    tables = {split: table(values) for split, values in labels.items()}
    return run_checks(CheckInput(tables, COLUMNS), only=[name])


@pytest.mark.parametrize(
    ("large", "small", "severity"),
    [(100, 10, "warning"), (99, 10, "info"), (30, 10, "info"), (29, 10, None), (10, 10, None)],
)
def test_imbalance_begins_at_three_and_warns_at_ten(large, small, severity):
    findings = found("imbalance", all=["差评"] * small + ["好评"] * large + ["中评"] * small)
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


def test_imbalance_names_both_classes_and_the_cure():
    (finding,) = found("imbalance", train=["退款"] * 8 + ["other"] * 100, test=["退款"] * 100)
    assert finding.split == "train"
    assert '"other" (100), has 12.5 times as many rows as the smallest, "退款" (8)' in finding.message
    assert "f1_macro" in finding.fix
    assert "--set train.class_weights=balanced" in finding.fix


def test_rows_without_text_do_not_count_because_training_leaves_them_out():
    rows = table(["a"] * 20 + ["b"] * 20, blank=18)
    findings = run_checks(CheckInput({"all": rows}, COLUMNS), only=["imbalance", "rare-classes"])
    assert [(finding.check, finding.severity) for finding in findings] == [
        ("imbalance", "warning"),
        ("rare-classes", "warning"),
    ]
    assert '"a" (2)' in findings[1].message


@pytest.mark.parametrize("labels", [["a"] * 20, ["a"] * 20 + [None] * 3])
def test_one_class_is_nothing_to_learn(labels):
    (finding,) = found("rare-classes", all=labels)
    assert finding.severity == "error"
    assert 'every training row has the same label, "a"' in finding.message


@pytest.mark.parametrize("labels", [[], [None, None]])
def test_no_labelled_row_is_nothing_to_learn(labels):
    rows = Table.from_rows([{"text": "x", "label": "a"}, *({"text": "y", "label": label} for label in labels)])
    rows = rows.select(range(1, len(labels) + 1), step="without the row that fixes the columns' types")
    (finding,) = run_checks(CheckInput({"all": rows}, COLUMNS), only=["rare-classes"])
    assert (finding.severity, finding.rows) == ("error", ())
    assert "no training row has both a text and a label" in finding.message


@pytest.mark.parametrize(("count", "severity"), [(1, "error"), (2, "warning"), (7, "warning"), (8, None)])
def test_small_classes(count, severity):
    findings = found("rare-classes", train=["big"] * 30 + ["小"] * count)
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    if severity:
        assert findings[0].rows == tuple(range(30, 30 + count))
        assert f'"小" ({count})' in findings[0].message


def test_small_classes_are_listed_smallest_first_and_cut():
    labels = ["big"] * 30 + [f"c{number}" for number in range(12) for _ in range(7 - number % 3)]
    (finding,) = found("rare-classes", all=labels)
    assert finding.message.startswith("12 classes have fewer than 8 training rows with text: ")
    assert '"c2" (5), "c5" (5), "c8" (5), "c11" (5), "c1" (6)' in finding.message
    assert finding.message.endswith("and 4 more")
    assert len(finding.rows) == len(labels) - 30


def test_a_label_that_train_lacks_is_an_error_in_its_split():
    validation, test = found(
        "rare-classes",
        train=["a", "b"] * 10,
        validation=["a", "b", "c"],
        test=["d", "a", "c", "d", None],
    )
    assert (validation.severity, validation.split, validation.rows) == ("error", "validation", (2,))
    assert (test.severity, test.split, test.rows) == ("error", "test", (0, 2, 3))
    assert '"c" (1)' in test.message
    assert '"d" (2)' in test.message


def test_numbers_and_their_spelling_are_told_apart():
    (finding,) = found("rare-classes", train=[0, 1] * 10, test=["0", "1"])
    assert finding.rows == (0, 1)
    assert '"0" (1), "1" (1)' in finding.message


def test_a_list_is_no_class_label():
    with pytest.raises(UserError) as raised:
        found("rare-classes", all=[["a"], ["a", "b"]])
    assert "column 'label'" in raised.value.message
    assert "row 0" in raised.value.message


# ------------------------------------------------------------------------------------------------------ numbers


def found_numbers(name, texts=None, **numbers):
    tables = {
        split: Table.from_rows(
            [
                {
                    "text": (texts or {}).get(split, [f"row {index}" for index in range(len(values))])[index],
                    "label": value,
                }
                for index, value in enumerate(values)
            ]
        )
        for split, values in numbers.items()
    }
    return run_checks(CheckInput(tables, replace(COLUMNS, answers="numbers")), only=[name])


@pytest.mark.parametrize("name", ["imbalance", "rare-classes"])
def test_numbers_are_no_classes(name):
    assert found_numbers(name, train=[1.0] * 50 + [2.5]) == []


def test_a_slip_of_the_pen_is_an_outlier_and_the_spread_of_others_none():
    values = [float(index % 10) for index in range(100)]
    assert found_numbers("outliers", train=values, test=values) == []
    (finding,) = found_numbers("outliers", train=values, test=[*values, 4500.0])
    assert finding.split == "test"
    assert finding.rows == (100,)
    assert "4500" in finding.message
    assert "huber" in finding.fix
    assert run_checks(CheckInput({"all": table(["a", "b"])}, COLUMNS), only=["outliers"]) == []


def test_the_same_text_with_far_numbers_is_a_conflict_and_with_near_ones_none():
    values = [float(index % 10) for index in range(60)]
    texts = {"train": ["same", "same", *(f"row {index}" for index in range(58))]}
    assert found_numbers("label-conflicts", texts, train=[5.0, 5.5, *values[2:]]) == []
    (finding,) = found_numbers("label-conflicts", texts, train=[0.0, 9.0, *values[2:]])
    assert finding.rows == (0, 1)
    assert "more than a standard deviation apart" in finding.message


def test_a_repeated_row_is_one_with_the_same_number():
    texts = {"train": ["same", "same", "same", "other"]}
    (finding,) = found_numbers("exact-duplicates", texts, train=[1.0, 1.0, 2.0, 1.0])
    assert finding.rows == (1,)
