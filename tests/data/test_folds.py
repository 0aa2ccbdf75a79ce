"""Folds: every row asked about once, by class, what belongs together undivided, decided by the seed."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data.folds import NO_FOLD, folds_of_column, make_folds
from supertune.data.table import Table
from supertune.errors import UserError

COLUMNS = Columns(("text",), ("label",))


def numbered(**counts):
    rows = [(f"{label} 第 {row} 条", label) for label, count in counts.items() for row in range(count)]
    return Table.from_rows([{"text": text, "label": label} for text, label in rows])


def dealt(table, columns=COLUMNS, **options):
    return make_folds(table, columns, near_duplicates=False, **options)


def held(numbers, mask):
    return np.bincount(numbers[mask], minlength=int(numbers.max()) + 1)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    folds=st.integers(2, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_fold_has_its_share_of_rows_and_classes_to_within_one_row(sizes, folds, seed):
    # Labels of so few rows that no model could learn them without what it is asked about: tested below.
    table = numbered(**{f"k{number}": size + folds + 1 for number, size in enumerate(sizes)})
    numbers = dealt(table, folds=folds, seed=seed).numbers[0]
    assert set(numbers) == set(range(folds))
    labels = np.array(table.column("label"))
    for label in set(labels):
        here = np.bincount(numbers[labels == label], minlength=folds)
        assert here.max() - here.min() <= 1
    sizes_of_folds = np.bincount(numbers)
    assert sizes_of_folds.max() - sizes_of_folds.min() <= 1


@settings(deadline=None, derandomize=True, max_examples=40)
@given(groups=st.lists(st.integers(0, 8), min_size=12, max_size=60), seed=st.integers(0, 99))
def test_groups_and_equal_texts_are_never_divided_and_every_row_is_asked_about_once(groups, seed):
    rows = [{"text": f"t{number % 50}", "label": "ab"[number % 2], "who": who} for number, who in enumerate(groups)]
    table = Table.from_rows(rows)
    try:
        folds = dealt(table, Columns(("text",), ("label",), group="who"), folds=3, seed=seed)
    except UserError:
        # Too few groups, or a label that is nearly all in one of them.
        reject()
    cuts = [folds.divided(0, fold) for fold in range(3)]
    asked = sorted(number for cut in cuts for number in cut["test"].row_ids)
    assert asked == np.flatnonzero(folds.numbers[0] != NO_FOLD).tolist()
    for cut in cuts:
        assert len(cut["test"])
        assert sorted([*cut["test"].row_ids, *cut["train"].row_ids]) == list(range(len(rows)))
    for key in ("who", "text"):
        homes = {}
        for row, fold in zip(rows, folds.numbers[0], strict=True):
            assert fold == NO_FOLD or homes.setdefault(row[key], fold) == fold


def test_groups_are_dealt_so_that_classes_come_out_even():
    rng = np.random.default_rng(0)
    who = rng.integers(0, 60, 600)
    lean = rng.random(60)
    rows = [
        {"text": f"t{number}", "label": "ja" if rng.random() < lean[one] else "nein", "who": int(one)}
        for number, one in enumerate(who)
    ]
    table = Table.from_rows(rows)
    numbers = dealt(table, Columns(("text",), ("label",), group="who"), folds=5).numbers[0]
    labels = np.array(table.column("label"))
    for label in ("ja", "nein"):
        share = held(numbers, labels == label) / (labels == label).sum()
        assert np.abs(share - 0.2).max() < 0.03


def test_each_of_several_labels_is_spread_evenly_where_rare_ones_go_with_common_ones():
    rng = np.random.default_rng(1)
    kinds = {"common": 0.6, "second": 0.3, "rare": 0.03, "rarest": 0.02}
    sets = [[kind for kind, share in kinds.items() if rng.random() < share] for _ in range(500)]
    table = Table.from_rows([{"text": f"t{number}", "labels": labels} for number, labels in enumerate(sets)])
    columns = Columns(("text",), ("labels",), answers="sets")
    numbers = dealt(table, columns, folds=5, seed=3).numbers[0]
    for kind in kinds:
        mask = np.array([kind in labels for labels in sets])
        here = held(numbers, mask)
        assert here.max() - here.min() <= 1, (kind, here)
    assert np.ptp(np.bincount(numbers)) <= 2


def test_the_same_seed_gives_the_same_folds_and_repetitions_differ():
    table = numbered(yes=40, no=60)
    one, again = dealt(table, repeats=2, seed=7), dealt(table, repeats=2, seed=7)
    assert (one.numbers == again.numbers).all()
    assert (one.numbers[0] != one.numbers[1]).any()
    assert (one.numbers[0] == dealt(table, seed=7).numbers[0]).all()
    assert (one.numbers[0] != dealt(table, seed=8).numbers[0]).any()


def test_rows_made_of_others_are_learned_from_beside_their_originals_and_never_asked_about():
    rows = [
        {"text": f"t{n}", "label": "ab"[n % 2], "supertune_row": n, "supertune_augmented_from": None} for n in range(20)
    ]
    rows += [
        {"text": f"made of {n}", "label": "ab"[n % 2], "supertune_row": n, "supertune_augmented_from": n}
        for n in range(20)
    ]
    folds = dealt(Table.from_rows(rows), folds=4)
    assert (folds.numbers[0][20:] == NO_FOLD).all()
    for fold in range(4):
        cut = folds.divided(0, fold)
        assert cut["test"].column("supertune_augmented_from") == [None] * 5
        made = {number for number in cut["train"].column("supertune_augmented_from") if number is not None}
        assert made == set(range(20)) - set(cut["test"].column("supertune_row"))


def test_what_a_model_could_not_have_learned_is_never_asked():
    table = numbered(yes=30, no=30, once=1, twice=2, thrice=3)
    folds = dealt(table, folds=5, seed=2)
    labels = np.array(table.column("label"))
    never = folds.numbers[0] == NO_FOLD
    assert set(labels[never]) == {"once", "twice"}
    assert folds.unasked.tolist() == [3]
    for fold in range(5):
        cut = folds.divided(0, fold)
        learned = cut["train"].column("label")
        assert set(cut["test"].column("label")) <= {label for label in learned if learned.count(label) >= 2}
        assert len(cut["train"]) + len(cut["test"]) == len(table)
        assert {"once", "twice"} <= set(learned)
    with pytest.raises(UserError, match="too few rows per label"):
        dealt(numbered(**{f"k{n}": 2 for n in range(9)}), folds=3)


def test_labels_with_fewer_texts_than_folds_are_counted():
    assert dealt(numbered(yes=30, no=30, perhaps=2), folds=5).rare == 1
    assert dealt(numbered(yes=30, no=30), folds=5).rare == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [({"folds": 1}, "--folds"), ({"folds": 7}, "6 different texts"), ({"repeats": 0}, "--repeats")],
)
def test_what_cannot_be_dealt_is_refused(options, said):
    with pytest.raises(UserError, match=said):
        dealt(numbered(yes=3, no=3), **options)


def test_folds_of_a_column_are_numbered_by_their_values_and_not_by_the_order_of_the_rows():
    table = Table.from_rows([{"text": f"t{n}", "label": "a", "part": [10, 9, 2][n % 3]} for n in range(9)])
    assert folds_of_column(table, "part", COLUMNS).numbers[0].tolist() == [2, 1, 0] * 3
    for rows, said in (
        ([{"part": 1}, {"part": None}], "row 1.* has no value"),
        ([{"part": 1}] * 3, "1 different values"),
        ([{"part": n} for n in range(1001)], "1,001 different values"),
    ):
        with pytest.raises(UserError, match=said):
            folds_of_column(Table.from_rows([{"text": "t", "label": "a", **row} for row in rows]), "part", COLUMNS)
    # A label of one month alone could not have been learned when that month is asked about.
    months = [{"text": f"t{n}", "label": "new" if n > 25 else "ab"[n % 2], "part": n // 10} for n in range(30)]
    assert folds_of_column(Table.from_rows(months), "part", COLUMNS).unasked.tolist() == [4]
    with pytest.raises(UserError, match="no column"):
        folds_of_column(table, "other", COLUMNS)
