"""Splits: a partition, by class, duplicates together, decided by the seed."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data.check import leaked_rows
from supertune.data.split import complete_splits, split_table
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.language import fold, is_blank

COLUMNS = Columns(("text",), ("label",))
steady = settings(deadline=None, derandomize=True)
SPLITS = ("train", "validation", "test")


def table(pairs):
    return Table.from_rows([{"text": text, "label": label} for text, label in pairs])


def numbered(**counts):
    return [(f"{label} 第 {row} 条", label) for label, count in counts.items() for row in range(count)]


def counts(tables, label):
    return [tables[split].column("label").count(label) for split in SPLITS]


def shuffled(pairs, seed=5):
    return [pairs[index] for index in np.random.default_rng(seed).permutation(len(pairs))]


@st.composite
def labelled_rows(draw, *, contradictory):
    """Rows of one to five classes in which some texts come several times, under one label or under several."""
    classes = draw(st.integers(1, 5))
    rows = []
    for label in range(classes):
        rows += [(f"{label} 单 {row}", label) for row in range(draw(st.integers(0, 60)))]
        for group, size in enumerate(draw(st.lists(st.integers(2, 9), max_size=8))):
            rows += [(f"{label} 重复 {group}", label)] * size
    if contradictory:
        for group, labels in enumerate(draw(st.lists(st.lists(st.integers(0, classes - 1), max_size=5), max_size=8))):
            rows += [(f"矛盾 {group}", label) for label in labels]
        rows += [(blank, 0) for blank in draw(st.lists(st.sampled_from(["", "　", "\u200b"]), max_size=5))]
    return shuffled(rows, draw(st.integers(0, 99)))


def split_or_refusal(pairs, **options):
    try:
        return split_table(table(pairs), COLUMNS, **options)
    except UserError:
        return None


@steady
@given(labelled_rows(contradictory=True), st.integers(0, 2**32 - 1))
def test_partition_order_duplicates_and_repetition(pairs, seed):
    tables = split_or_refusal(pairs, seed=seed)
    if tables is None:
        return
    assert tuple(tables) == SPLITS
    rows = [split.row_ids.tolist() for split in tables.values()]
    assert sorted(itertools.chain(*rows)) == list(range(len(pairs)))
    assert all(part == sorted(part) and part for part in rows)
    homes = {}
    for number, split in enumerate(tables.values()):
        for text in split.column("text"):
            homes.setdefault("" if is_blank(text) else fold(text), set()).add(number)
    assert all(len(home) == 1 for home in homes.values())
    assert all(len(leaked) == 0 for leaked in leaked_rows(tables, COLUMNS).values())
    again = split_table(table(pairs), COLUMNS, seed=seed)
    assert [split.row_ids.tolist() for split in again.values()] == rows


@steady
@given(
    labelled_rows(contradictory=False),
    st.integers(0, 999),
    st.sampled_from([(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.34, 0.33, 0.33), (0.7, 0.3, 0.0), (0.9, 0.03, 0.07)]),
)
def test_no_class_is_off_by_more_than_one_group(pairs, seed, fractions):
    tables = split_or_refusal(pairs, seed=seed, fractions=fractions)
    if tables is None:
        return
    sizes = Counter(pairs)
    for label, total in Counter(label for _, label in pairs).items():
        largest = max(size for (_, other), size in sizes.items() if other == label)
        # The first two rows of a class are for train, even where its share is smaller.
        slack = 1 if largest == 1 and total > 2 else largest + 1
        for name, fraction in zip(SPLITS, fractions, strict=True):
            got = tables[name].column("label").count(label) if name in tables else 0
            assert abs(got - fraction * total) < slack, (label, name, got, fraction * total, largest)


def test_without_duplicates_every_class_has_its_share_exactly():
    tables = split_table(table(shuffled(numbered(好评=500, 差评=200, 中评=30))), COLUMNS, seed=1)
    assert counts(tables, "好评") == [400, 50, 50]
    assert counts(tables, "差评") == [160, 20, 20]
    assert counts(tables, "中评") == [24, 3, 3]


def test_single_rows_make_up_for_contradictory_groups():
    pairs = numbered(a=300, b=200) + [(f"矛盾 {group}", label) for group in range(40) for label in "aab"]
    tables = split_table(table(shuffled(pairs)), COLUMNS, seed=3)
    assert counts(tables, "a") == [304, 38, 38]
    assert counts(tables, "b") == [192, 24, 24]


def test_many_small_classes_still_reach_every_split():
    tables = split_table(table(numbered(**{f"c{number}": 4 for number in range(77)})), COLUMNS, seed=0)
    sizes = [len(tables[split]) for split in SPLITS]
    assert sum(sizes) == 308
    assert np.allclose(sizes, [246.4, 30.8, 30.8], atol=2)
    assert min(Counter(tables["train"].column("label")).values()) >= 3


def test_classes_with_one_or_two_rows_and_large_groups_stay_in_train():
    pairs = numbered(big=100, two=2, one=1) + [("又来了", "group")] * 30 + [("g 1", "group"), ("g 2", "group")]
    for seed in range(20):
        tables = split_table(table(shuffled(pairs)), COLUMNS, seed=seed)
        assert counts(tables, "two") == [2, 0, 0]
        assert counts(tables, "one") == [1, 0, 0]
        assert tables["train"].column("text").count("又来了") == 30


def test_a_small_class_in_a_contradictory_group_stays_in_train():
    pairs = [*numbered(big=100), ("x", "big"), ("x", "rare"), ("y", "rare")]
    for seed in range(20):
        assert counts(split_table(table(pairs), COLUMNS, seed=seed), "rare") == [2, 0, 0]


def test_groups_of_duplicates_have_their_fair_chance_of_every_split():
    pairs = numbered(a=100) + [("same", "a")] * 2
    homes = Counter(
        next(
            name
            for name, split in split_table(table(pairs), COLUMNS, seed=seed).items()
            if "same" in split.column("text")
        )
        for seed in range(300)
    )
    # Binomial: 30 ± 5.2 in each held-out split.
    assert 12 <= homes["validation"] <= 48
    assert 12 <= homes["test"] <= 48


def test_blank_rows_stay_together():
    pairs = numbered(a=50, b=50) + [(blank, label) for blank in ("", "　", "\u200b") for label in "ab"]
    for seed in range(5):
        tables = split_table(table(pairs), COLUMNS, seed=seed)
        assert sorted(sum(map(is_blank, split.column("text"))) for split in tables.values()) == [0, 0, 6]


def test_another_seed_is_another_split():
    rows = table(numbered(a=60, b=40))
    splits = {tuple(split_table(rows, COLUMNS, seed=seed)["test"].row_ids.tolist()) for seed in range(20)}
    assert len(splits) == 20


def test_a_seed_keeps_its_split_from_release_to_release():
    pairs = [*numbered(a=30, b=20), ("同", "a"), ("同", "b")]
    tables = split_table(table(pairs), COLUMNS, seed=7)
    assert tables["validation"].row_ids.tolist() == [2, 23, 28, 32, 43]
    assert tables["test"].row_ids.tolist() == [4, 8, 22, 39, 41]


def test_rows_without_label_or_label_column_are_split_too():
    rows = Table.from_rows([{"text": f"t{number}", "label": None if number % 2 else "a"} for number in range(100)])
    labelled = split_table(rows, COLUMNS, seed=0)
    assert [len(labelled[split]) for split in SPLITS] == [80, 10, 10]
    assert counts(labelled, None) == [40, 5, 5]
    unlabelled = split_table(rows, Columns(("text",)), seed=0)
    assert [len(unlabelled[split]) for split in SPLITS] == [80, 10, 10]


def test_row_ids_and_lineage_come_from_the_source():
    rows = table(numbered(a=60)).select(range(20, 60), step="drop")
    tables = split_table(rows, COLUMNS, seed=4)
    assert sorted(np.concatenate([split.row_ids for split in tables.values()])) == list(range(20, 60))
    assert [split.lineage[-1].name for split in tables.values()] == ["split:train", "split:validation", "split:test"]
    assert tables["test"].lineage[-1].parameters == {
        "fractions": [0.8, 0.1, 0.1],
        "seed": 4,
        "near_duplicates": 0,
    }


def test_what_is_given_is_honoured():
    given_splits = {"test": table(numbered(a=3)), "train": table(numbered(a=5)), "validation": table(numbered(a=4))}
    completed = complete_splits(given_splits, COLUMNS, seed=0)
    assert list(completed.tables) == list(SPLITS)
    assert all(completed.tables[name] is given_splits[name] for name in SPLITS)
    assert completed.announcements == ()


@pytest.mark.parametrize(("present", "missing"), [("test", "validation"), ("validation", "test")])
def test_one_missing_split_is_cut_from_train_and_announced(present, missing):
    given_splits = {"train": table(numbered(a=60, b=40)), present: table(numbered(c=7))}
    completed = complete_splits(given_splits, COLUMNS, seed=0)
    assert completed.tables[present] is given_splits[present]
    assert Counter(completed.tables["train"].column("label")) == {"a": 54, "b": 36}
    assert Counter(completed.tables[missing].column("label")) == {"a": 6, "b": 4}
    (announcement,) = completed.announcements
    assert announcement == (
        f"no {missing} rows were given: 10 of the 100 training rows (10 %) were set aside as {missing} split"
    )


def test_train_alone_is_split_like_any_table():
    rows = table(numbered(a=60, b=40))
    completed = complete_splits({"train": rows}, COLUMNS, seed=9, fractions=(0.6, 0.2, 0.2))
    whole = split_table(rows, COLUMNS, seed=9, fractions=(0.6, 0.2, 0.2))
    assert {name: part.row_ids.tolist() for name, part in completed.tables.items()} == {
        name: part.row_ids.tolist() for name, part in whole.items()
    }
    assert len(completed.announcements) == 2


def test_a_share_of_nothing_is_not_cut():
    assert list(split_table(table(numbered(a=50)), COLUMNS, seed=0, fractions=(0.9, 0.1, 0))) == ["train", "validation"]
    given_splits = {"train": table(numbered(a=50)), "validation": table(numbered(a=4))}
    assert complete_splits(given_splits, COLUMNS, seed=0, fractions=(0.9, 0.1, 0)).tables == given_splits


@pytest.mark.parametrize(
    ("fractions", "problem"),
    [
        ((0.8, 0.1, 0.2), "sum to 1.1, not to 1"),
        ((0.8, 0.3, -0.1), "are not all between 0 and 1"),
        ((0.8, float("nan"), 0.2), "are not all between 0 and 1"),
        ((0.8, 0.2), "are 2 numbers, not 3"),
        ((0, 0.5, 0.5), "leave no rows to train on"),
    ],
)
def test_fractions_that_are_no_parts_of_a_whole(fractions, problem):
    given_splits = {"train": table(numbered(a=50)), "test": table(numbered(a=4))}
    for attempt in (split_table, complete_splits):
        with pytest.raises(UserError) as raised:
            attempt(
                given_splits["train"] if attempt is split_table else given_splits, COLUMNS, seed=0, fractions=fractions
            )
        assert raised.value.where == "data.split"
        assert problem in raised.value.what


def test_nine_rows_are_too_few_and_ten_are_enough():
    with pytest.raises(UserError, match="9 rows cannot be divided"):
        split_table(table(numbered(a=9)), COLUMNS, seed=0)
    assert [len(part) for part in split_table(table(numbered(a=10)), COLUMNS, seed=0).values()] == [8, 1, 1]


@pytest.mark.parametrize(
    "pairs", [numbered(**{f"c{number}": 1 for number in range(12)}), [("同一句", "a")] * 50, [("", "a")] * 50]
)
def test_classes_or_texts_that_cannot_reach_every_split(pairs):
    with pytest.raises(UserError, match="leave none for validation"):
        split_table(table(pairs), COLUMNS, seed=0)


def test_without_train_there_is_nothing_to_cut_from():
    with pytest.raises(UserError, match="only test was given"):
        complete_splits({"test": table(numbered(a=50))}, COLUMNS, seed=0)


def test_a_negative_seed_is_refused():
    with pytest.raises(UserError, match="-1"):
        split_table(table(numbered(a=50)), COLUMNS, seed=-1)


def grouped(patients):
    rows = [{"text": f"note {row}", "label": "ab"[row % 2], "patient": name} for row, name in enumerate(patients)]
    return Table.from_rows(rows)


GROUPED = Columns(("text",), ("label",), group="patient")


@steady
@given(st.lists(st.integers(0, 30) | st.none(), min_size=60, max_size=120), st.integers(0, 9))
def test_rows_of_a_group_never_straddle_splits(patients, seed):
    rows = grouped([None if patient is None else f"p{patient}" for patient in patients])
    try:
        tables = split_table(rows, GROUPED, seed=seed)
    except UserError:
        return
    seen = {split: set(tables[split].column("patient")) - {None} for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not seen[one] & seen[other]
    assert sorted(np.concatenate([tables[split].row_ids for split in SPLITS])) == list(range(len(rows)))


def test_equal_texts_tie_their_groups_together():
    rows = [{"text": f"t{row}", "label": "x", "patient": row // 2} for row in range(40)]
    rows += [{"text": "same", "label": "x", "patient": patient} for patient in (3, 7)]
    rows += [{"text": "t14", "label": "x", "patient": None}]
    for seed in range(20):
        tables = split_table(Table.from_rows(rows), GROUPED, seed=seed)
        (home,) = [split for split in SPLITS if 3 in tables[split].column("patient")]
        assert 7 in tables[home].column("patient")
        assert tables[home].column("text").count("t14") == 2


def test_groups_change_nothing_where_every_row_is_its_own():
    rows = grouped(range(80))
    plain = split_table(rows, COLUMNS, seed=4)
    by_group = split_table(rows, GROUPED, seed=4)
    for split in SPLITS:
        assert plain[split].row_ids.tolist() == by_group[split].row_ids.tolist()
        assert by_group[split].lineage[-1].parameters["group"] == "patient"


def test_a_group_that_stands_in_two_given_splits_is_told():
    from supertune.data.check import CheckInput, run_checks

    splits = {"train": grouped(["a", "b", None]), "test": grouped(["c", "b", None])}
    splits["test"] = Table.from_rows([{**row, "text": f"new {row['text']}"} for row in splits["test"].rows()])
    (found,) = run_checks(CheckInput(splits, GROUPED, given_splits=True), only=["leakage"])
    assert (found.split, found.rows, found.severity) == ("test", (1,), "warning")
    assert "'patient' that rows learned from have as well" in found.message
