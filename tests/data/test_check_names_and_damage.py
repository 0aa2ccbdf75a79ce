"""Labels written in several ways, and texts that a step of cleaning would repair."""

import shlex

import pytest

from supertune.config import parse_steps
from supertune.contracts import Columns
from supertune.data import OPERATORS, built
from supertune.data.check import CheckInput, run_checks
from supertune.data.table import Table

COLUMNS = Columns(("text",), ("label",))


def found(name, columns=COLUMNS, **splits):
    tables = {split: Table.from_rows(rows) for split, rows in splits.items()}
    return run_checks(CheckInput(tables, columns, given_splits=len(splits) > 1), only=[name])


def labelled(*labels):
    return [{"text": f"第 {number} 行", "label": label} for number, label in enumerate(labels)]


@pytest.mark.parametrize(
    "labels",
    [
        ("Positive", "positive", "positive", "bad"),
        ("positive ", "positive", "positive", "bad"),
        ("ｐositive", "positive", "positive", "bad"),
        ("posi-tive", "posi_tive", "posi_tive", "bad"),
        ("好　评", "好评", "好评", "差评"),
        ("It's", "it's", "it's", "bad"),
    ],
)
def test_spellings_of_one_label_are_an_error_and_the_frequent_one_stays(labels):
    (finding,) = found("label-names", all=labelled(*labels))
    assert (finding.severity, finding.rows) == ("error", (0,))
    assert "1 label is written in several ways" in finding.message
    # The command that is told does what it says.
    words = shlex.split(finding.fix.partition(";")[0])
    (step,) = parse_steps([words[words.index("--step") + 1]])
    operator = built(OPERATORS, step.name, step.options, "here")
    assert list(map(operator.value, labels)) == [labels[1], labels[1], labels[2], labels[3]]


def test_spellings_in_two_files_are_told_where_the_rare_ones_stand():
    findings = found("label-names", train=labelled("a", "b", "a"), test=labelled("A", "b"))
    assert [(finding.split, finding.rows) for finding in findings] == [("test", (0,))]


def test_labels_of_lists_are_looked_at_one_by_one():
    columns = Columns(("text",), ("label",), answers="sets")
    rows = [{"text": f"row {n}", "label": value} for n, value in enumerate((["News", "sport"], ["news"], ["news"]))]
    (finding,) = found("label-names", columns, all=rows)
    assert finding.rows == (0,)


@pytest.mark.parametrize("labels", [("a", "b", "ab"), ("+", "-"), ("C", "C++"), (1, 2), ("", " a"), (True, False)])
def test_different_labels_are_none(labels):
    assert found("label-names", all=labelled(*labels)) == []


DAMAGED = {
    "encoding": ["It was \u00e2\u20ac\u0153closed\u00e2\u20ac\u009d today", "caf\u00c3\u00a9 au lait"],
    "html": ["<p>nice <b>place</b></p>", "fish &amp; chips"],
    "control-characters": ["zero\u200bwidth and \x07 bell"],
}


@pytest.mark.parametrize("step", DAMAGED)
def test_what_a_step_would_repair_is_told_with_the_step(step):
    texts = [*DAMAGED[step], *(f"all is well {number}，一切正常" for number in range(100))]
    findings = found("damaged-texts", all=[{"text": text, "label": "x"} for text in texts])
    told = [finding for finding in findings if f"--step {step} " in finding.fix]
    assert [(finding.severity, finding.rows) for finding in told] == [("info", tuple(range(len(DAMAGED[step]))))]


def test_much_damage_is_a_warning():
    findings = found("damaged-texts", all=[{"text": f"<p>row {n}</p>", "label": "x"} for n in range(10)])
    assert [finding.severity for finding in findings] == ["warning"]


def test_both_sides_and_messages_are_looked_at():
    columns = Columns(("one", "two"), ("label",), pair=True)
    rows = [{"one": "fine", "two": "caf\u00c3\u00a9 au lait", "label": "x"}, {"one": None, "two": "", "label": "y"}]
    (finding,) = found("damaged-texts", columns, all=rows)
    assert finding.rows == (0,)


def test_texts_in_which_places_are_pointed_at_are_to_be_repaired_by_hand():
    columns = Columns(("text",), ("label",), answers="spans")
    findings = found("damaged-texts", columns, all=[{"text": "<p>in Berlin</p>", "label": []}])
    assert all("supertune clean" not in finding.fix for finding in findings)
    assert findings
