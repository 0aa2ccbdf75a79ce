"""Labels that depend on who gave them, on when, or on the file: planted differences are found, chance is not."""

import random

import pytest

from supertune.contracts import Columns
from supertune.data.check import CheckInput, run_checks
from supertune.data.table import Table

COLUMNS = Columns(("text",), ("label",))
NUMBERS = Columns(("text",), ("label",), answers="numbers")


def labels(share, count, seed):
    generator = random.Random(seed)
    return ["好评" if generator.random() < share else "差评" for _ in range(count)]


def table(parts, name):
    """Rows of each part, with the labels given, and a column that says which part it is."""
    made = [(part, label) for part, values in parts.items() for label in values]
    return Table.from_rows(
        [{"text": f"第 {number} 行", "label": label, name: part} for number, (part, label) in enumerate(made)]
    )


def found(columns=COLUMNS, given=False, **splits):
    return run_checks(CheckInput(splits, columns, given_splits=given), only=["drift"])


@pytest.mark.parametrize("name", ["annotator", "worker_id", "标注员", "Labeled By"])
def test_an_annotator_who_labels_otherwise_is_named(name):
    parts = {"anna": labels(0.5, 200, 0), "ben": labels(0.5, 200, 1), "carl": labels(0.9, 100, 2)}
    (finding,) = found(all=table(parts, name))
    assert (finding.check, finding.severity) == ("drift", "warning")
    assert f"1 annotator of 3 ({name!r}) gives other labels than the rest: 'carl' (100 rows: " in finding.message
    assert finding.rows == tuple(range(400, 500))


def test_a_smaller_difference_is_information():
    parts = {"anna": labels(0.5, 1000, 0), "ben": labels(0.5, 1000, 1), "carl": labels(0.68, 1000, 2)}
    finding, *_ = found(all=table(parts, "annotator"))
    assert finding.severity == "info"


@pytest.mark.parametrize("seed", range(20))
def test_chance_is_no_drift(seed):
    parts = {f"a{number}": labels(0.5, 60, 100 * seed + number) for number in range(12)}
    assert found(all=table(parts, "annotator")) == []


def test_one_annotator_or_few_rows_say_nothing():
    assert found(all=table({"anna": labels(0.5, 100, 0)}, "annotator")) == []
    assert found(all=table({"anna": labels(0.5, 100, 0), "ben": ["好评"] * 19}, "annotator")) == []
    assert found(all=table({"anna": labels(0.5, 100, 0), "": ["好评"] * 99}, "annotator")) == []


def test_who_contradicts_the_others_about_the_same_texts_is_named():
    truth, made = random.Random(0), []
    for text in range(80):
        label = truth.choice("ab")
        for person in ("anna", "ben", "carl", "dora"):
            wrong = person == "dora" and text % 2 == 0
            made.append(
                {"text": f"text {text}", "label": "ba"["ab".index(label)] if wrong else label, "annotator": person}
            )
    findings = found(all=Table.from_rows(made))
    (finding,) = [finding for finding in findings if "contradicts" in finding.message]
    assert finding.severity == "warning"
    assert "'dora' contradicts the others about 50% of 80 texts, as is usual about 0%" in finding.message
    assert finding.rows == tuple(range(3, 320, 4))


@pytest.mark.parametrize("form", ["2024-{:02d}-01", "2024/{}/1", "2024年{}月1日"])
@pytest.mark.parametrize("name", ["date", "created_at", "发布时间"])
def test_labels_that_change_with_time_are_told(form, name):
    parts = {form.format(month): labels(0.8 if month > 9 else 0.4, 60, month) for month in range(1, 13)}
    (finding,) = found(all=table(parts, name))
    assert finding.severity == "warning"
    assert f"labels change with time ({name!r}): 'newest quarter' (180 rows: " in finding.message
    assert f"supertune split DATA --time {name}" in finding.fix
    assert set(range(540, 720)) <= set(finding.rows)


def test_times_that_are_none_and_one_moment_say_nothing():
    assert found(all=table({"soon": labels(0.1, 100, 0), "later": labels(0.9, 100, 1)}, "date")) == []
    assert found(all=table({"2024": labels(0.1, 100, 0), "2025": labels(0.9, 100, 1)}, "date")) == []


def test_numbers_are_compared_by_their_distribution():
    generator = random.Random(0)
    parts = {name: [generator.gauss(mean, 1.0) for _ in range(100)] for name, mean in (("a", 0), ("b", 0), ("c", 1.5))}
    findings = found(NUMBERS, all=table(parts, "rater"))
    assert "'c' (100 rows: half are below 1." in findings[0].message
    assert found(NUMBERS, all=table({"a": parts["a"], "b": parts["b"]}, "rater")) == []


def test_a_test_file_of_other_labels_is_told_where_it_was_given():
    tables = {"train": table({"x": labels(0.5, 400, 0)}, "part"), "test": table({"x": labels(0.9, 200, 1)}, "part")}
    (finding,) = found(given=True, **tables)
    assert (finding.split, finding.severity, finding.rows) == ("test", "warning", ())
    assert "the labels of test are not those of train: 'test' (200 rows: " in finding.message
    assert found(given=False, **tables) == []
