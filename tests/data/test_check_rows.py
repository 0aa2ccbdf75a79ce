"""Known answers of the checks that look at rows: empty, duplicate, contradictory, leaked, truncated."""

import numpy as np
import pytest

from supertune.contracts import Columns
from supertune.data.check import CheckInput, leaked_rows, run_checks
from supertune.data.table import Table

COLUMNS = Columns(("text",), ("label",))


def table(*pairs):
    return Table.from_rows([{"text": text, "label": label} for text, label in pairs])


def numbered(count, label="x", start=0):
    return [(f"文 {start + number}", label) for number in range(count)]


def found(name, given_splits=False, **splits):
    tables = {split: table(*pairs) for split, pairs in splits.items()}
    return run_checks(CheckInput(tables, COLUMNS, given_splits), only=[name])


def test_empty_rows_are_those_without_anything_visible():
    pairs = [
        ("好", "a"),
        ("　", "a"),
        ("", "b"),
        ("\u200b\ufeff", "b"),
        (".", "a"),
        (None, "a"),
        ("🙂", "a"),
        ("\t", "a"),
    ]
    (finding,) = found("empty-rows", all=pairs)
    assert (finding.severity, finding.split, finding.rows) == ("warning", "all", (1, 2, 3, 5, 7))
    assert finding.message == "5 rows (62.5 %) have no text"
    assert "training leaves them out" in finding.fix


def test_empty_rows_are_told_per_split():
    first, second = found("empty-rows", train=[("a", "x"), ("", "x")], test=[("", "x"), ("b", "x"), (" ", "x")])
    assert (first.split, first.rows, second.split, second.rows) == ("train", (1,), "test", (0, 2))
    assert first.message == "1 row in train (50 %) has no text"


def test_duplicates_are_all_but_the_first_of_the_same_text_and_label():
    pairs = [("好吃", "a"), ("x", "a"), (" 好吃　", "a"), ("好吃", "b"), ("x", "a"), ("好吃", "a"), ("y", "a")]
    (finding,) = found("exact-duplicates", all=pairs)
    assert (finding.severity, finding.rows) == ("warning", (2, 4, 5))
    assert finding.message.startswith("3 surplus rows repeat the text and label of 2 other rows")


def test_duplicates_are_counted_within_a_split_and_blank_rows_are_none():
    assert found("exact-duplicates", train=[("a", "x"), ("", "x"), (" ", "x"), ("", "x")], test=[("a", "x")]) == []


def test_one_and_true_are_different_labels_and_one_and_one_point_zero_are_the_same():
    train = Table.from_rows([{"text": "a", "label": 1}, {"text": "b", "label": 2}])
    for labels, conflicts in (([True, False], 2), ([1.0, 2.0], 0), (["1", "2"], 2)):
        test = Table.from_rows([{"text": "a", "label": labels[0]}, {"text": "b", "label": labels[1]}])
        checked = CheckInput({"train": train, "test": test}, COLUMNS)
        assert sum(len(f.rows) for f in run_checks(checked, only=["label-conflicts"])) == 2 * conflicts


def test_conflicts_name_every_row_involved():
    pairs = [("退款", "a"), ("ok", "a"), ("退款 ", "b"), ("ok", "a"), ("退款", "a")]
    (finding,) = found("label-conflicts", all=[*pairs, *numbered(95)])
    assert (finding.severity, finding.rows) == ("warning", (0, 2, 4))
    assert finding.message == "1 text has contradictory labels, in 3 rows (3 %)"


def test_conflicts_across_splits_are_told_on_both_sides():
    train, test = found(
        "label-conflicts", train=[*numbered(40), ("a", "x")], test=[("a", "y"), *numbered(30, start=50), ("b", "y")]
    )
    assert (train.split, train.rows, test.split, test.rows) == ("train", (40,), "test", (0,))
    assert "between splits" in train.message


def test_rows_without_a_label_contradict_nobody():
    assert found("label-conflicts", all=[("a", "x"), ("a", None), ("b", None), ("b", None)]) == []


@pytest.mark.parametrize(("rows", "severity"), [(40, "warning"), (39, "error")])
def test_conflicts_stop_training_above_5_percent(rows, severity):
    (finding,) = found("label-conflicts", all=[("a", "x"), ("a", "y"), *numbered(rows - 2)])
    assert finding.severity == severity


def test_leaked_rows_are_those_of_a_held_out_split_that_were_seen_before():
    splits = {
        "train": [("a", "x"), ("b", "x"), ("", "x"), *numbered(5)],
        "validation": [("v", "x"), ("b ", "y"), *numbered(50, start=10)],
        "test": [*numbered(60, start=100), ("　a", "x"), ("v", "x"), ("", "x"), ("t", "x"), ("t", "x")],
    }
    validation, test = found("leakage", given_splits=True, **splits)
    assert (validation.split, validation.rows, validation.severity) == ("validation", (1,), "warning")
    assert (test.split, test.rows, test.severity) == ("test", (60, 61), "warning")
    assert "2 test rows (3.1 %)" in test.message
    assert "1 in train and 1 in validation" in test.message
    assert found("leakage", given_splits=False, **splits) == []


def test_leaked_rows_are_indices_into_the_table():
    tables = {
        "train": table(("a", "x"), ("b", "x")),
        "test": table(("gone", "x"), ("c", "x"), ("b", "x"), ("a", "x")).select([1, 2, 3], step="drop"),
    }
    leaked = leaked_rows(tables, COLUMNS)
    assert list(leaked) == ["test"]
    assert leaked["test"].tolist() == [1, 2]
    (finding,) = run_checks(CheckInput(tables, COLUMNS, given_splits=True), only=["leakage"])
    assert finding.rows == (2, 3)


@pytest.mark.parametrize(("rows", "severity"), [(20, "warning"), (19, "error")])
def test_leakage_stops_training_above_5_percent_of_the_held_out_split(rows, severity):
    (finding,) = found(
        "leakage",
        given_splits=True,
        train=[("a", "x"), *numbered(500)],
        test=[("a", "x"), *numbered(rows - 1, start=900)],
    )
    assert finding.severity == severity


def test_leakage_needs_a_second_split():
    assert found("leakage", given_splits=True, all=[("a", "x"), ("a", "x")]) == []


def truncation(lengths, max_length, **more):
    tables = {"all": table(*numbered(len(lengths)))}
    checked = CheckInput(tables, COLUMNS, token_lengths={"all": np.array(lengths)}, max_length=max_length, **more)
    return run_checks(checked, only=["truncation"])


def test_truncation_tells_the_share_the_longest_and_the_cure():
    lengths = [100] * 96 + [200, 300, 400, 1500]
    (finding,) = truncation(lengths, 100)
    assert (finding.severity, finding.rows) == ("warning", (96, 97, 98, 99))
    assert "4 rows (4 %) are longer than 100 tokens" in finding.message
    assert "the longest has 1,500" in finding.message
    assert "a max_length of 400 would keep 99 % of the rows whole" in finding.message
    assert "--set model.max_length=400" in finding.fix
    assert np.mean(np.array(lengths) <= 400) >= 0.99 > np.mean(np.array(lengths) <= 399)


@pytest.mark.parametrize(("rows", "severity"), [(100, "info"), (99, "warning")])
def test_truncation_is_a_warning_above_1_percent(rows, severity):
    (finding,) = truncation([5] * (rows - 1) + [70], 64)
    assert finding.severity == severity


def test_a_row_of_exactly_max_length_is_whole():
    assert truncation([64, 63, 1], 64) == []


def test_truncation_is_not_asked_before_tokens_are_known():
    assert run_checks(CheckInput({"all": table(("a", "x"))}, COLUMNS, max_length=1), only=["truncation"]) == []


def test_lengths_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="2 token lengths for 1 rows of all"):
        run_checks(
            CheckInput({"all": table(("a", "x"))}, COLUMNS, token_lengths={"all": np.array([1, 2])}, max_length=1)
        )
