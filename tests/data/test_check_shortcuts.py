"""Cues that decide a label by themselves: planted ones are found, and chance is not."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data.check import CheckInput, run_checks
from supertune.data.check.shortcuts import pieces_of
from supertune.data.table import Table

COLUMNS = Columns(("text",), ("label",))
SENTENCE = "the food was late again and we asked for it twice but nobody came to our small table near door"
HAN = "这家店的饭菜味道还可以就是送得有点慢下次不会再来了吧老板人很好"


def english(random_words, count=12):
    return " ".join(random_words.choices(SENTENCE.split(), k=count))


def chinese(random_words, count=12):
    return "".join(random_words.choices(HAN, k=count))


def rows(change, labels=("good", "bad"), count=200, write=english):
    """Random texts that say nothing of their label, but for what ``change`` does to them."""
    generator = random.Random(0)
    return [
        {"text": change(write(generator), labels[number % len(labels)]), "label": labels[number % len(labels)]}
        for number in range(count)
    ]


def found(made, columns=COLUMNS):
    return run_checks(CheckInput({"all": Table.from_rows(made)}, columns), only=["shortcuts"])


@pytest.mark.parametrize("write", [english, chinese])
@pytest.mark.parametrize("count", [40, 200, 2000])
def test_nothing_is_found_in_chance(write, count):
    assert found(rows(lambda text, label: text, count=count, write=write)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text, label: f"{text} zebra" if label == "bad" else text, "containing 'zebra' (100% of them, 0%"),
        (lambda text, label: f"{text}!" if label == "bad" else text, "ending with '!' (100% of them, 0%"),
        (lambda text, label: f"Re: {text}" if label == "bad" else text, "beginning with 're' (100% of them, 0%"),
        (lambda text, label: text.upper() if label == "bad" else text, "capital letters (100% of them, 0%"),
        (
            lambda text, label: f"{text} {text} {text}" if label == "bad" else text,
            "characters or more (100% of them, 0%",
        ),
    ],
)
def test_what_decides_is_a_warning(change, said):
    (finding,) = found(rows(change))
    assert (finding.check, finding.severity, finding.split) == ("shortcuts", "warning", "all")
    # Of two labels one finding tells both: what is there before what is not.
    assert finding.message.startswith('rows labelled "bad" can nearly')
    assert said in finding.message


@pytest.mark.parametrize("name", ["source", "site_name", "URL", "来源"])
def test_a_source_that_decides_is_told(name):
    made = [
        row | {name: f"https://{row['label']}.example/{number}" if name == "URL" else f"from {row['label']}"}
        for number, row in enumerate(rows(lambda text, label: text))
    ]
    (finding,) = found(made)
    assert finding.severity == "warning"
    assert f"as {name!r}" in finding.message
    if name == "URL":
        assert "bad.example" in finding.message or "good.example" in finding.message


def test_other_columns_and_copies_of_the_label_are_nobodys_shortcut():
    assert found([row | {"label_text": row["label"].upper()} for row in rows(lambda text, label: text)]) == []


def test_either_side_of_a_pair_is_looked_at_alone():
    columns = Columns(("premise", "hypothesis"), ("label",), pair=True)
    made = [
        {"premise": english(random.Random(n)), "hypothesis": row["text"], "label": row["label"]}
        for n, row in enumerate(rows(lambda text, label: f"nobody {text} sleeping" if label == "bad" else text))
    ]
    (finding,) = found(made, columns)
    assert "in 'hypothesis'" in finding.message
    assert "in 'premise'" not in finding.message


@pytest.mark.parametrize("rare", [5, 19])
def test_few_rows_say_nothing(rare):
    made = [{"text": english(random.Random(n)), "label": "usual"} for n in range(200)]
    made += [{"text": "zebra " + english(random.Random(n)), "label": "rare"} for n in range(rare)]
    assert found(made) == []


def test_a_rare_class_is_told_by_its_cue():
    made = [{"text": english(random.Random(n)), "label": "usual"} for n in range(2000)]
    made += [{"text": "zebra " + english(random.Random(n)), "label": "rare"} for n in range(60)]
    (finding,) = found(made)
    assert finding.severity == "warning"


def test_other_answers_than_classes_are_left_alone():
    columns = Columns(("text",), ("label",), answers="numbers")
    made = [{"text": "long " * (n % 2 * 9 + 1), "label": float(n % 2)} for n in range(100)]
    assert found(made, columns) == []


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_what_a_piece_is_called_is_never_taken_from_the_text(text):
    kinds = [piece for piece in pieces_of(text) if piece.startswith("\t")]
    assert all(piece == "\tcapitals" or piece.startswith(("\tbegin", "\tend")) for piece in kinds)
    assert len(kinds) <= 3
    assert all(len(piece.split()) == 1 for piece in pieces_of(text) - set(kinds))
