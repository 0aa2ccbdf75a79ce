"""New rows: how many, of which rows, the same whatever the order, and never beside a held-out original."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import supertune
from supertune.contracts import Columns
from supertune.data import (
    AUGMENTED_FROM,
    AUGMENTER,
    AUGMENTERS,
    Amount,
    CheckInput,
    Table,
    augment,
    complete_splits,
    infer_columns,
    run_checks,
    split_by_time,
    split_table,
)
from supertune.data.augment.kept import normalized
from supertune.errors import UserError

COLUMNS = Columns(("text",), ("label",))
BOTH = [AUGMENTERS["random-swap"](), AUGMENTERS["random-deletion"]()]


def rows_of(count, classes=2):
    words = [
        "red",
        "green",
        "blue",
        "small",
        "large",
        "round",
        "square",
        "old",
        "new",
        "soft",
        "hard",
        "light",
        "dark",
        "warm",
        "cold",
        "sweet",
        "sour",
    ]
    texts = (
        f"{words[i % 17]} {words[i * 7 % 17]} thing number {i} seems {words[i * 3 % 17]} here" for i in range(count)
    )
    return [{"text": text, "label": f"c{i % classes}"} for i, text in enumerate(texts)]


def added_of(table):
    return [row for row in table.rows() if row[AUGMENTED_FROM] is not None]


def said(table):
    return sorted((row["text"], row["label"], row[AUGMENTER]) for row in added_of(table))


def test_labels_are_carried_over_originals_come_first_and_nothing_is_said_twice():
    table = Table.from_rows(rows_of(30))
    made = augment(table, COLUMNS, BOTH, amount=Amount(copies=3))
    rows = list(made.table.rows())
    assert [row["text"] for row in rows[:30]] == table.column("text")
    assert len({normalized(row["text"]) for row in rows}) == len(rows)
    assert all(row["label"] == rows[row[AUGMENTED_FROM]]["label"] for row in rows[30:])
    assert [row[AUGMENTED_FROM] for row in rows[30:]] == sorted(row[AUGMENTED_FROM] for row in rows[30:])
    assert sum(each.asked for each in made.made) == 180
    assert all(each.asked == each.added + sum(each.dropped.values()) for each in made.made)
    assert made.table.lineage[-1].name == "augment:random-deletion"


@given(order=st.permutations(range(12)))
@settings(max_examples=10, deadline=None)
def test_new_rows_do_not_depend_on_the_order_of_the_rows(order):
    rows = [*rows_of(12, 3), {"text": "a lonely row of its own", "label": "c9"}]
    for amount in (Amount(copies=2), Amount(balance=True)):
        first = augment(Table.from_rows(rows), COLUMNS, BOTH, amount=amount, seed=3)
        other = augment(Table.from_rows([*(rows[at] for at in order), rows[12]]), COLUMNS, BOTH, amount=amount, seed=3)
        assert said(first.table) == said(other.table)


def test_a_row_alone_gets_the_new_rows_that_it_gets_among_others_and_another_seed_gives_others():
    rows = rows_of(6)
    among = {text for text, *_ in said(augment(Table.from_rows(rows), COLUMNS, BOTH).table)}
    alone = {text for text, *_ in said(augment(Table.from_rows(rows[2:3]), COLUMNS, BOTH).table)}
    assert alone <= among
    assert alone != {text for text, *_ in said(augment(Table.from_rows(rows[2:3]), COLUMNS, BOTH, seed=1).table)}


def test_classes_are_brought_up_and_no_row_is_used_too_often():
    rows = [*rows_of(20, 1), *({**row, "label": "few"} for row in rows_of(24)[20:])]
    made = augment(Table.from_rows(rows), COLUMNS, BOTH, amount=Amount(balance=True))
    assert [row["label"] for row in made.table.rows()].count("few") == 20
    assert {row["label"] for row in added_of(made.table)} == {"few"}
    short = augment(Table.from_rows(rows), COLUMNS, BOTH, amount=Amount(rows_per_class=22, most_of_one=2))
    origins = [row[AUGMENTED_FROM] for row in added_of(short.table) if row["label"] == "few"]
    assert max(map(origins.count, origins)) <= 2
    assert "fewer than it should" in short.announcements[0]
    with pytest.raises(ValueError, match="choose one"):
        Amount(balance=True, rows_per_class=3)


def test_a_new_row_equal_to_a_held_out_row_is_dropped():
    table = Table.from_rows([{"text": "yes maybe", "label": "a"}])
    made = augment(table, COLUMNS, [BOTH[0]], held_out=[Table.from_rows([{"text": "Maybe  yes", "label": "a"}])])
    assert not added_of(made.table)
    assert made.made[0].dropped == {"equal to a validation or test row": 1}


def test_a_split_never_asks_about_a_new_row_nor_learns_one_of_a_held_out_row():
    made = augment(Table.from_rows(rows_of(40)), COLUMNS, BOTH, amount=Amount(copies=2)).table
    shuffled = made.select(np.random.default_rng(0).permutation(len(made)), step="shuffle")
    again = Table.from_rows(list(shuffled.rows()))
    splits = split_table(again, infer_columns(again), seed=2)
    assert not added_of(splits["validation"])
    assert not added_of(splits["test"])
    learned = {row["supertune_row"] for row in splits["train"].rows()}
    assert added_of(splits["train"])
    assert all(row[AUGMENTED_FROM] in learned for row in added_of(splits["train"]))
    counts = splits["train"].lineage[-1].parameters
    assert counts["augmented"] + counts["augmented_left_out"] == len(added_of(again))
    assert counts["augmented_left_out"] > 0
    given = complete_splits({"train": made, "test": again}, COLUMNS, seed=0)
    assert not added_of(given.tables["test"])
    assert any("left out" in told for told in given.announcements)
    with pytest.raises(UserError, match="made of others"):
        split_by_time(again, "supertune_row", (0.8, 0.1, 0.1))
    bare = [{name: value for name, value in row.items() if name != "supertune_row"} for row in made.rows()]
    with pytest.raises(UserError, match="lacks the column"):
        split_table(Table.from_rows(bare), COLUMNS, seed=0)


def test_a_new_row_whose_maker_saw_other_rows_is_not_learned_once_rows_are_divided_again():
    rows = list(augment(Table.from_rows(rows_of(40)), COLUMNS, [AUGMENTERS["random-swap"]()]).table.rows())
    shown = [{**row, AUGMENTER: row[AUGMENTER] and "label-conditioned"} for row in rows]
    for again, some in ((rows, True), (shown, False)):
        train = split_table(Table.from_rows(again), COLUMNS, seed=2)["train"]
        assert any(value is not None for value in train.column(AUGMENTED_FROM)) == some


def test_the_gate_does_not_take_new_rows_for_near_duplicates():
    made = augment(Table.from_rows(rows_of(40)), COLUMNS, [AUGMENTERS["punctuation"]()]).table
    found = run_checks(CheckInput({"train": made}, COLUMNS))
    near = [row for finding in found if finding.check == "near-duplicates" for row in finding.rows]
    assert all(row < 40 for row in near)


def test_of_questions_only_the_question_changes_and_tags_are_refused():
    table = Table.from_rows([{"q": "which red car is old", "context": "the car is red and old", "label": "red"}])
    made = augment(table, Columns(("q", "context"), ("label",), answers="answers"), [BOTH[0]]).table
    assert {row["context"] for row in made.rows()} == {"the car is red and old"}
    with pytest.raises(UserError, match="spans are places"):
        augment(table, Columns(("q",), ("label",), answers="spans"), BOTH)
    with pytest.raises(UserError, match="no classes"):
        augment(table, Columns(("q",), ("label",), answers="answers"), BOTH, amount=Amount(balance=True))


def test_entities_that_a_column_names_stay():
    from supertune.data import Protection

    rows = [{"text": "the brave little toaster sings loudly", "label": "a", "names": ["brave little toaster"]}]
    named = Protection(entities="names")
    made = augment(Table.from_rows(rows), COLUMNS, BOTH, amount=Amount(copies=9), protection=named)
    assert added_of(made.table)
    assert all("brave little toaster" in row["text"] for row in added_of(made.table))


def test_a_folder_is_written_with_only_train_changed_and_its_recipe_writes_the_same_again(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows_of(60)), encoding="utf-8")
    made = supertune.augment(source, by=["random-swap", {"punctuation": {"share": 0.2}}], copies=2, out=tmp_path / "a")
    expected = split_table(supertune.read(source), COLUMNS, seed=0)
    for split in ("validation", "test"):
        assert made.tables[split].column("text") == expected[split].column("text")
    assert made.tables["train"].column("text")[: len(expected["train"])] == expected["train"].column("text")
    supertune.augment(tmp_path / "a" / "augmentation.yaml", out=tmp_path / "b")
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    read = supertune.read(tmp_path / "a" / "train.jsonl")
    assert "2 steps" in read.notes[0]
    assert [step.name for step in read.lineage][-3:-1] == ["augment:random-swap", "augment:punctuation"]


def test_what_is_asked_for_wrongly_is_explained(tmp_path):
    rows = rows_of(30)
    with pytest.raises(UserError, match="no augmenter was named"):
        supertune.augment(rows)
    with pytest.raises(UserError, match="there is no augmenter 'synonym'"):
        supertune.augment(rows, by=["synonym"])
    with pytest.raises(UserError, match="share"):
        supertune.augment(rows, by=[{"random-swap": {"share": 3.0}}])
    with pytest.raises(UserError, match="choose one"):
        supertune.augment(rows, by=["random-swap"], balance=True, rows_per_class=3)
    wrong = tmp_path / "augmentation.yaml"
    wrong.write_text("data: {source: x.csv}\naugments: []\n", encoding="utf-8")
    with pytest.raises(UserError, match="unknown key 'augments'"):
        supertune.augment(wrong)
