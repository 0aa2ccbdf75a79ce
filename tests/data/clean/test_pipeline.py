"""Steps over tables: nothing goes without a reason, rows keep their ids, and processes change nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.contracts.layout import Layout
from supertune.data import Table, read
from supertune.data.clean import OPERATORS, Cleaned, built, clean, default_steps, pipeline
from supertune.data.clean.operator import TextEdit
from supertune.data.clean.results import SAMPLES
from supertune.data.label_errors import LabelErrors, Suspect, write_review
from supertune.errors import UserError

TEXT = Columns(("text",), ("label",))


def steps(*named: str | tuple[str, dict[str, Any]]) -> list[Any]:
    pairs = [(name, {}) if isinstance(name, str) else name for name in named]
    return [built(OPERATORS, name, options, "test") for name, options in pairs]


def cleaned(rows: Sequence[dict[str, Any]], *named: Any, columns: Columns = TEXT, **options: Any) -> Cleaned:
    return clean({"all": Table.from_rows(rows)}, columns, steps(*named), **options)


def default(columns: Columns = TEXT, *, several_splits: bool = False) -> list[Any]:
    return steps(*default_steps(columns, several_splits=several_splits))


DIRTY = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.one_of(
                st.none(), st.sampled_from(["", " ", "a", "a ", "<p>a</p>", "浣犲ソ", "你好", "b\n\n\n\nc"])
            ),
            "label": st.sampled_from(["x", "x ", "y", None]),
            "other": st.integers(0, 3),
        }
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100)
@given(rows=DIRTY)
def test_every_row_stays_with_its_id_or_goes_with_a_reason(rows: list[dict[str, Any]]) -> None:
    table = Table.from_rows([*rows, {"text": "stays", "label": "z", "other": 9}])
    made = clean({"all": table}, TEXT, default())
    after = made.tables["all"]
    gone = made.removed("all")
    kept = after.row_ids.tolist()
    assert sorted([*kept, *gone]) == list(range(len(table)))
    assert kept == sorted(kept)
    assert all(step in OPERATORS and reason for step, reason in gone.values())
    assert [row["other"] for row in after.rows()] == [table.row(row)["other"] for row in kept]
    for step, following in zip(made.steps["all"], made.steps["all"][1:], strict=False):
        assert following.tally.rows_in == step.tally.rows_in - len(step.tally.removed)
    assert [step.name for step in after.lineage][-len(default()) :] == [f"clean:{one.name}" for one in default()]
    # What was cleaned is clean.
    again = clean({"all": after}, TEXT, default())
    assert [step.tally.changed for step in again.steps["all"]] == [0] * len(default())
    assert not again.removed("all")
    assert again.tables["all"].fingerprint == after.fingerprint


def test_what_a_row_becomes_does_not_depend_on_the_others() -> None:
    rows = [{"text": f" <b>{number}</b> ＡＢ\u200b", "label": number % 2} for number in range(50)]
    whole = cleaned(rows, "html", "width", "control-characters", "whitespace").tables["all"]
    backwards = cleaned(rows[::-1], "html", "width", "control-characters", "whitespace").tables["all"]
    assert list(whole.rows()) == list(backwards.rows())[::-1]


def test_two_processes_make_what_one_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "WORTH_A_PROCESS", 100)
    monkeypatch.setattr(pipeline, "BATCH_ROWS", 64)
    rows = [{"text": f"<p>{number % 301}</p>浣犲ソ" if number % 3 else None, "label": "a"} for number in range(900)]
    one, two = (clean({"all": Table.from_rows(rows)}, TEXT, default(), workers=count) for count in (1, 2))
    assert one.tables["all"].fingerprint == two.tables["all"].fingerprint
    assert one.steps == two.steps
    assert one.removed("all") == two.removed("all")
    assert one.tables["all"].row_ids.tolist() == two.tables["all"].row_ids.tolist()


def test_an_error_in_a_process_is_told_as_it_would_be_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "WORTH_A_PROCESS", 10)
    rows = [{"text": "a", "label": "known"}] * 50 + [{"text": "b", "label": "unknown"}]
    naming = ("labels", {"map": {"known": "k"}, "others": "refuse"})
    for workers in (1, 2):
        with pytest.raises(UserError, match="names no label 'unknown'") as told:
            cleaned(rows, naming, workers=workers)
        assert told.value.fix == "add it, or set others: keep"


def test_large_tables_stay_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supertune.data.sources.spill.SPILL_BYTES", 10_000)
    rows = [{"text": f" {number} " * 9, "label": "a"} for number in range(2000)]
    table = cleaned(rows, "whitespace", "missing").tables["all"]
    assert type(table.storage).__name__ == "FileStorage"
    assert table.row(1999)["text"] == " ".join(["1999"] * 9)


def test_a_few_changes_of_each_step_are_shown() -> None:
    rows = [{"text": f"<b>{number}</b>", "label": "a"} for number in range(100)]
    (step,) = cleaned(rows, "html").steps["all"]
    assert step.tally.changed == 100
    assert len(step.tally.samples) == SAMPLES
    shown = sorted(change.row for change in step.tally.samples)
    assert shown != list(range(SAMPLES))
    assert all(change.before == f"<b>{change.row}</b>" for change in step.tally.samples)
    assert all(change.after == str(change.row) for change in step.tally.samples)


def test_rows_of_splits_go_where_they_are_asked_about_later() -> None:
    tables = {
        "train": Table.from_rows([{"text": text, "label": "a"} for text in ("one", "two", "three", "two ")]),
        "validation": Table.from_rows([{"text": text, "label": "a"} for text in ("two", "four")]),
        "test": Table.from_rows([{"text": text, "label": "a"} for text in ("four", "five", "one")]),
    }
    made = clean(tables, TEXT, default(several_splits=True))
    assert {split: table.column("text") for split, table in made.tables.items()} == {
        "train": ["three"],
        "validation": ["two"],
        "test": ["four", "five", "one"],
    }
    assert made.removed("train") == {
        0: ("leakage", "its text stands in test"),
        1: ("leakage", "its text stands in validation"),
        3: ("exact-duplicates", "repeats a row"),
    }


def test_conversations_are_cleaned_in_what_is_said() -> None:
    rows = [
        {"messages": [{"role": "user", "content": " hi\u200b "}, {"role": "assistant", "content": "  x = 1\n\n\n\ny"}]},
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "  x = 1\n\ny"}]},
    ]
    columns = Columns((), answers="generated", layout=Layout("messages", {"messages": "messages"}))
    made = clean({"all": Table.from_rows(rows)}, columns, default(columns))
    (left,) = made.tables["all"].rows()
    assert left["messages"][1]["content"] == "  x = 1\n\ny"
    assert made.removed("all") == {1: ("exact-duplicates", "repeats a row")}


def test_arrow_columns_keep_their_types() -> None:
    messages = pa.array(
        [[{"role": "user", "content": " a "}]], pa.list_(pa.struct([("role", "string"), ("content", "string")]))
    )
    source = pa.table(
        {"messages": messages, "text": pa.array([" b "], pa.large_string()), "label": pa.array([1], pa.int8())}
    )
    columns = Columns(("text", "messages"), ("label",))
    after = clean({"all": Table.from_arrow(source, source="x")}, columns, steps("whitespace")).tables["all"]
    assert after.schema == source.schema
    assert after.row(0) == {"messages": [{"role": "user", "content": "a"}], "text": "b", "label": 1}


def test_labels_may_become_numbers() -> None:
    rows = [{"text": "a", "label": "no"}, {"text": "b", "label": "yes"}]
    table = cleaned(rows, ("labels", {"map": {"no": 0, "yes": 1}})).tables["all"]
    assert table.column("label") == [0, 1]


@pytest.mark.parametrize(
    ("rows", "named", "columns", "told"),
    [
        ([{"text": " ", "label": "a"}], ["missing"], TEXT, "no row is left: missing left out 1 (no text)"),
        ([{"text": "a"}], ["labels"], Columns(("text",)), "the rows have no labels"),
        ([{"text": "a", "label": 1}], [("html", {"columns": ["body"]})], TEXT, "there is no column 'body'"),
        (
            [{"text": "a", "label": "a"}, {"text": "b", "label": "b"}],
            [("labels", {"map": {"a": 1}})],
            TEXT,
            "mixes",
        ),
        (
            [{"question": "a", "context": "b", "answers": "b"}],
            ["html"],
            Columns(("question", "context"), ("answers",), answers="answers"),
            "would move answers that stand in the texts",
        ),
    ],
)
def test_what_cannot_be_done_is_told(rows: Any, named: list[Any], columns: Columns, told: str) -> None:
    with pytest.raises(UserError) as error:
        cleaned(rows, *named, columns=columns)
    assert told in error.value.message
    assert error.value.fix


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("htm", {}, "there is no step 'htm'\n  → did you mean 'html'?"),
        ("length", {"lest": 3}, "length has no option 'lest'\n  → did you mean 'least'?"),
        ("length", {"least": "three"}, 'length.least: "three" does not fit'),
        ("length", {"least": -1}, "length.least: -1 does not fit"),
        ("language", {}, "language needs the option 'keep'"),
        ("script", {"to": "japanese"}, "script.to"),
    ],
)
def test_steps_that_there_are_not(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as error:
        built(OPERATORS, name, options, "clean.yaml:7")
    assert error.value.message.startswith("clean.yaml:7: ")
    assert told in error.value.message


LONG = "the quick brown fox jumps over the lazy dog and runs away from the old grey wolf in the dark wood at night"


def near(text: str, label: str = "a") -> dict[str, Any]:
    return {"text": text, "label": label}


def test_one_of_nearly_the_same_rows_stays() -> None:
    rows = [near(LONG), near("something else"), near(LONG + "!"), near(LONG + " again")]
    assert cleaned(rows, "near-duplicates").tables["all"].row_ids.tolist() == [0, 1]
    longest = cleaned(rows, ("near-duplicates", {"keep": "longest"})).tables["all"]
    assert longest.row_ids.tolist() == [1, 3]
    strict = cleaned(rows, ("near-duplicates", {"threshold": 1.0}))
    assert strict.tables["all"].row_ids.tolist() == [0, 1, 3]
    assert strict.removed("all") == {2: ("near-duplicates", "nearly the same as another row")}


@pytest.mark.parametrize(("disputed", "left"), [("keep", [0, 1, 2]), ("thin", [0, 2]), ("drop", [2])])
def test_nearly_the_same_rows_of_different_labels(disputed: str, left: list[int]) -> None:
    rows = [near(LONG, "a"), near(LONG + "!", "b"), near("else")]
    assert cleaned(rows, ("near-duplicates", {"disputed": disputed})).tables["all"].row_ids.tolist() == left


def test_rows_that_are_nearly_asked_about_go() -> None:
    tables = {
        "train": Table.from_rows([near(LONG), near("一二三四五六七八九十，上山打老虎，老虎没打到"), near("apart")]),
        "test": Table.from_rows([near(LONG + "?", "b"), near("一二三四五六七八九十，上山打老虎，老虎没打着")]),
    }
    made = clean(tables, TEXT, steps("near-duplicates"))
    assert {split: table.row_ids.tolist() for split, table in made.tables.items()} == {"train": [2], "test": [0, 1]}
    assert set(made.removed("train").values()) == {("near-duplicates", "nearly the same as a row of test")}
    assert len(clean(tables, TEXT, steps(("near-duplicates", {"across": False}))).tables["train"]) == 3


def test_pseudonyms_need_a_key_and_are_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="SUPERTUNE_PSEUDONYM_KEY is not set"):
        steps(("pii", {"action": "pseudonyms"}))
    monkeypatch.setenv("MY_KEY", "k" * 32)
    named = ("pii", {"action": "pseudonyms", "key_variable": "MY_KEY"})
    rows = [near("write to li.wei@mail.cn"), near("or to LI.WEI@mail.cn or a.b@mail.cn")]
    first, second = cleaned(rows, named).tables["all"].column("text")
    (one,) = [word for word in first.split() if "@" in word]
    same, other = [word for word in second.split() if "@" in word]
    assert one == same != other
    assert "mail.cn" not in first + second
    assert "k" * 32 not in str(cleaned(rows, named).steps["all"][0].as_dict())
    with pytest.raises(UserError, match="no kind 'e-mail'"):
        steps(("pii", {"kinds": ["e-mail"]}))


def test_rows_that_are_probably_mislabelled_go_where_they_are_learned_from() -> None:
    tables = {
        "train": Table.from_rows([near("short"), *[near(f"a train row {n}") for n in range(1, 4)]]),
        "test": Table.from_rows([near(f"a test row {n}") for n in range(4)]),
    }
    asked = []

    def judge(given: Any, columns: Columns) -> LabelErrors:
        asked.append({split: len(table) for split, table in given.items()})
        suspects = [
            Suspect(split, row, "", "label", "a", "b", chance)
            for split, row, chance in (("train", 2, 0.9), ("test", 1, 0.99), ("train", 3, 0.6))
        ]
        return LabelErrors(tuple(suspects), (), 8, 0)

    # Row ids stay what they are in the file, whatever went before.
    named = steps(("length", {"least": 3}), "label-errors")
    made = clean(tables, TEXT, named, judge=judge)
    assert asked == [{"train": 3, "test": 4}]
    assert {split: table.row_ids.tolist() for split, table in made.tables.items()} == {
        "train": [1],
        "test": [0, 1, 2, 3],
    }
    assert made.removed("train")[2] == ("label-errors", "its label is probably wrong")
    surer = clean(tables, TEXT, steps(("label-errors", {"least": 0.8})), judge=judge)
    assert surer.tables["train"].row_ids.tolist() == [0, 1, 3]
    with pytest.raises(UserError, match="cannot be told apart"):
        clean(tables, TEXT, steps("label-errors"), judge=lambda *_: None)


def test_what_a_person_decided_is_done(tmp_path: Path) -> None:
    rows = [near(f"text {n}", "ab"[n % 2]) for n in range(6)]
    table = Table.from_rows(rows)
    suspects = [Suspect("all", n, f"text {n}", "label", "ab"[n % 2], "c", 0.9) for n in (1, 3, 4)]
    file = tmp_path / "list.csv"
    write_review(file, LabelErrors(tuple(suspects), (), 6, 0), {"all": table})
    head, *lines = file.read_text(encoding="utf-8-sig").splitlines()
    place = head.split(",").index("decision")
    decided = []
    for line, decision in zip(lines, ("change to a", "drop", ""), strict=True):
        cells = line.split(",")
        cells[place] = decision
        decided.append(",".join(cells))
    file.write_text("\n".join([head, *decided]) + "\n", encoding="utf-8")
    made = cleaned(rows, ("review", {"file": str(file)}), "whitespace")
    assert made.tables["all"].column("label") == ["a", "a", "a", "a", "b"]
    assert made.removed("all") == {3: ("review", "a person decided so")}
    (change,) = made.steps["all"][0].tally.samples
    assert (change.row, change.before, change.after) == (1, "b", "a")
    with pytest.raises(UserError, match="has changed since"):
        cleaned(rows, ("labels", {"map": {"b": "x"}}), ("review", {"file": str(file)}))
    with pytest.raises(UserError, match="no such file"):
        cleaned(rows, ("review", {"file": str(tmp_path / "nothing.csv")}))


def test_an_operator_that_lacks_what_its_kind_does_cannot_be_made() -> None:
    class Nothing(TextEdit):
        name: ClassVar[str] = "nothing"

    with pytest.raises(TypeError, match="abstract method"):
        Nothing()  # type: ignore[abstract]


@pytest.mark.parametrize("answers", ["classes", "numbers", "sets", "texts", "ranking", "generated", "answers", "spans"])
def test_there_are_steps_for_rows_of_every_kind(answers: str) -> None:
    columns = Columns(("text",), ("label",), answers=answers)
    chosen = [name for name, _ in default_steps(columns, several_splits=True)]
    assert chosen[-3:] == ["missing", "exact-duplicates", "leakage"]
    assert ("encoding" in chosen) == (answers not in ("answers", "spans"))
    assert ("html" in chosen) == (answers not in ("answers", "spans", "generated"))


def test_no_selection_needs_more_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{n % 70}", "label": "a"}) + "\n" for n in range(100)))
    made = clean({"all": read(path)}, TEXT, steps("exact-duplicates", "whitespace", "exact-duplicates"))
    assert made.tables["all"].row_ids.tolist() == list(range(70))
