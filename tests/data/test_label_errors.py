"""Planted label errors in clusters whose truth is known: how many are found, how many are said to be there."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.filter import find_label_issues

from supertune.contracts import Columns
from supertune.data import Table
from supertune.data.check import CheckInput, run_checks
from supertune.data.label_errors import judge_labels
from supertune.data.label_errors.folds import FOLDS, fold_of
from supertune.data.label_errors.heads import class_heads
from supertune.data.label_errors.noise import fit_noise
from supertune.data.label_errors.numbers import find_number_suspects
from supertune.data.label_errors.suspects import find_suspects
from supertune.data.label_errors.terms import copies_together, term_view


def clusters(rows, classes=3, apart=2.5, width=8, seed=0, shares=None):
    """Gaussian clusters, a class each: features and classes."""
    random = np.random.default_rng(seed)
    labels = random.choice(classes, rows, p=shares).astype(np.int64)
    centres = random.normal(size=(classes, width))
    centres *= apart / np.linalg.norm(centres, axis=1, keepdims=True)
    return (centres[labels] + random.normal(size=(rows, width))).astype(np.float32), labels


def flipped(labels, rate, seed=1):
    random = np.random.default_rng(seed)
    wrong = np.zeros(len(labels), bool)
    wrong[random.permutation(len(labels))[: round(rate * len(labels))]] = True
    classes = labels.max() + 1
    return np.where(wrong, (labels + random.integers(1, classes, len(labels))) % classes, labels), wrong


def own_keys(rows):
    return np.random.default_rng(7).permutation(rows).astype(np.uint64)


def scores(found, wrong):
    hit = wrong[found.rows].sum()
    return hit / max(1, len(found.rows)), hit / wrong.sum()


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_most_flips_are_listed_and_their_number_is_known(rate):
    features, labels = clusters(1200, apart=4.0)
    given, wrong = flipped(labels, rate)
    found = find_suspects([features], given, own_keys(1200))
    precision, recall = scores(found, wrong)
    assert precision > 0.8
    assert recall > 0.8
    assert found.low <= wrong.sum() <= found.high
    assert found.expected == pytest.approx(wrong.sum(), rel=0.25)
    assert found.precision == pytest.approx(precision, abs=0.12)
    assert (found.suggested[found.rows] == labels[found.rows]).mean() > 0.75
    assert (np.diff(found.wrong[found.rows]) <= 0).all(), "the surest first"


@pytest.mark.parametrize("apart", [4.0, 1.5])
def test_of_right_labels_next_to_none_are_listed_however_hard_the_texts(apart):
    features, labels = clusters(800, apart=apart)
    found = find_suspects([features], labels, own_keys(800))
    assert len(found.rows) <= 8
    assert found.low <= 8


def test_flips_of_one_class_into_another_are_told_from_uniform_ones():
    features, labels = clusters(1500, classes=4, apart=4.5)
    random = np.random.default_rng(3)
    wrong = (labels == 1) & (random.random(1500) < 0.15)
    found = find_suspects([features], np.where(wrong, 2, labels), own_keys(1500))
    precision, recall = scores(found, wrong)
    assert precision > 0.6
    assert recall > 0.6
    assert (found.suggested[found.rows] == 1).mean() > 0.6


def test_a_rare_class_is_judged_and_one_too_small_is_left_alone():
    features, labels = clusters(1000, classes=4, apart=5.0, shares=[0.7, 0.25, 0.047, 0.003])
    given, wrong = flipped(labels, 0.0)
    assert 0 < (given == 3).sum() < FOLDS
    common = np.flatnonzero(given == 0)[:30]
    given[common], wrong[common] = 2, True
    found = find_suspects([features], given, own_keys(1000))
    assert np.isnan(found.wrong[given == 3]).all()
    assert found.judged == (given != 3).sum()
    assert scores(found, wrong)[1] > 0.7
    assert 3 not in found.suggested[found.rows]


@pytest.mark.parametrize("labels", [[0, 1], [0] * 200, [], list(range(200)), [-1] * 200, [0] * 196 + [1] * 4], ids=str)
def test_nothing_is_said_where_nothing_can_be_known(labels):
    labels = np.array(labels, np.int64)
    found = find_suspects([np.ones((len(labels), 3))], labels, own_keys(len(labels)))
    assert (found.judged, len(found.rows), found.expected) == (0, 0, 0.0)
    assert np.isnan(found.wrong).all()


def test_the_order_of_the_rows_changes_nothing_and_the_seed_next_to_nothing():
    features, labels = clusters(400)
    given, _ = flipped(labels, 0.1)
    keys = own_keys(400)
    whole = find_suspects([features], given, keys)
    order = np.random.default_rng(5).permutation(400)
    mixed = find_suspects([features[order]], given[order], keys[order])
    assert np.array_equal(mixed.wrong, whole.wrong[order])
    assert np.array_equal(order[mixed.rows], whole.rows)
    assert np.array_equal(find_suspects([features], given, keys).wrong, whole.wrong)
    other = find_suspects([features], given, keys, seed=9)
    assert np.corrcoef(other.wrong, whole.wrong)[0, 1] > 0.95


def test_copies_stay_in_one_fold_and_classes_are_spread_over_all():
    labels = np.repeat(np.arange(4), [100, 50, 10, 5])
    keys = np.arange(165).astype(np.uint64)
    keys[:40] = np.repeat(np.arange(20), 2)
    folds = fold_of(labels, keys, seed=0)
    assert all(len(set(folds[keys == key])) == 1 for key in keys)
    for label in range(1, 4):
        counts = np.bincount(folds[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(folds, fold_of(labels, keys, seed=0))


def test_near_copies_get_the_key_of_the_lowest_and_pairs_only_where_both_sides_agree():
    long = "the parcel that I ordered on monday has still not arrived at my house"
    texts = [(long,), (long + " !",), (long.replace("monday", "tuesday"),), ("something else",), ("你好，世界",)]
    keys = np.array([50, 40, 30, 20, 10], np.uint64)
    assert copies_together(texts, keys).tolist() == [30, 30, 30, 20, 10]
    pairs = [(long, "yes"), (long + ".", "Yes"), (long, "no"), ("yes", long)]
    assert copies_together(pairs, keys[:4]).tolist() == [40, 40, 30, 20]
    assert copies_together([("!",), ("?",)], keys[:2]).tolist() == [50, 40]


def test_terms_that_one_text_alone_has_are_left_out_and_signs_alone_are_no_terms():
    assert term_view([("red apple",), ("green apple",)]).shape == (2, 1)
    assert term_view([("苹果很好",), ("苹果不好",)]).shape[1] >= 4
    assert term_view([("!",), ("?",)]).shape[0] == 2
    assert term_view([("a",), ("b",)]).nnz == 0


def test_the_list_is_more_precise_than_cleanlabs_on_the_same_probabilities():
    features, labels = clusters(900, classes=3, apart=2.0)
    given, wrong = flipped(labels, 0.1)
    keys = own_keys(900)
    said = class_heads([features], given, fold_of(given, keys, seed=0), np.ones(900), lambda: None)
    theirs = find_label_issues(given, np.exp(said[0]) / np.exp(said[0]).sum(axis=1, keepdims=True), n_jobs=1)
    ours = find_suspects([features], given, keys)
    assert scores(ours, wrong)[0] > (theirs & wrong).sum() / theirs.sum()
    assert set(ours.rows[:20]) <= set(np.flatnonzero(theirs)), "of the surest both are sure"


def test_the_gradient_of_the_likelihood_is_that_of_finite_differences():
    from scipy.optimize import check_grad

    from supertune.data.label_errors.noise import _Problem

    random = np.random.default_rng(0)
    problem = _Problem(random.normal(size=(2, 40, 3)), random.integers(0, 3, 40))
    for seed in range(3):
        at = np.random.default_rng(seed).normal(size=len(problem.start(0.1))) * 0.5
        off = check_grad(lambda v: problem._cost(v)[0], lambda v: problem._cost(v)[1], at)
        assert off < 1e-3


def test_the_noise_model_gives_back_the_flips_that_it_describes():
    random = np.random.default_rng(2)
    flips = np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.05, 0.15, 0.8]])
    right = random.integers(0, 3, 6000)
    sure = 6.0 * np.eye(3)[right] + random.normal(size=(6000, 3)) * 2
    given = np.array([random.choice(3, p=flips[label]) for label in right])
    # The heads are right about the true label; that they are of another sharpness is for the model to find out.
    said = (sure - np.log(np.exp(sure).sum(axis=1, keepdims=True))) * 0.5
    model = fit_noise(said[None], given, seed=0)
    assert np.abs(model.flips - flips).max() < 0.04
    assert model.low - 0.005 <= (given != right).mean() <= model.high + 0.005


def test_numbers_that_have_nothing_to_do_with_their_text_are_listed():
    random = np.random.default_rng(0)
    features = random.normal(size=(600, 6))
    truth = features @ random.normal(size=6) + random.normal(size=600) * 0.2
    wrong = np.zeros(600, bool)
    wrong[random.permutation(600)[:40]] = True
    numbers = np.where(wrong, truth + random.choice([-6.0, 6.0], 600), truth)
    numbers[5] = np.nan
    wrong[5] = False
    found = find_number_suspects([features], numbers, own_keys(600))
    precision, recall = scores(found, wrong)
    assert precision > 0.9
    assert recall > 0.9
    assert found.low <= 40 <= found.high
    assert np.abs(found.suggested - truth)[found.rows].mean() < 0.6
    clean = find_number_suspects([features], truth, own_keys(600))
    assert len(clean.rows) <= 5


WORDS = {"pos": ["good", "great", "lovely", "fine", "nice"], "neg": ["bad", "awful", "poor", "sad", "grim"]}


def rows_of(count, rate=0.1, seed=0):
    random = np.random.default_rng(seed)
    rows, wrong = [], []
    for number in range(count):
        mood = random.choice(["pos", "neg"])
        # Some texts are surer than others: that is what tells hard ones from wrong labels.
        other = {"pos": "neg", "neg": "pos"}[mood]
        words = [random.choice(WORDS[mood if random.random() < 0.93 else other]) for _ in range(random.integers(2, 9))]
        text = " ".join([*words, f"w{number}"])
        flip = random.random() < rate
        rows.append({"text": text, "label": {"pos": "neg", "neg": "pos"}[mood] if flip else str(mood)})
        wrong.append(flip)
    return rows, np.array(wrong)


def vectors(texts, progress):
    """Counts of the known words: an encoder that anyone can check."""
    known = [*WORDS["pos"], *WORDS["neg"]]
    progress(len(texts))
    return np.array([[text.split().count(word) for word in known] for text in texts], np.float32)


@pytest.mark.parametrize("kind", [str, int, bool, float])
def test_labels_of_every_kind_are_listed_and_suggested_as_they_are_written(kind):
    rows, wrong = rows_of(500)
    values = {str: ("好评", "差评"), int: (1, 0), bool: (True, False), float: (0.5, -0.5)}[kind]
    rows = [{"text": row["text"], "label": values[row["label"] == "neg"]} for row in rows]
    errors = judge_labels({"all": Table.from_rows(rows)}, Columns(("text",), ("label",)), vectors)
    hit = sum(wrong[each.row] for each in errors.suspects)
    assert hit >= 0.6 * wrong.sum()
    assert hit >= 0.7 * len(errors.suspects)
    assert all(type(each.suggested) is kind for each in errors.suspects)
    assert all(each.given != each.suggested for each in errors.suspects)
    assert errors.total.expected == pytest.approx(wrong.sum(), rel=0.4)


def test_splits_are_judged_together_and_named_apart_and_the_check_tells_of_each():
    rows, wrong = rows_of(500)
    rows[7]["text"], wrong[7] = " ", False
    splits = {"train": Table.from_rows(rows[:300]), "test": Table.from_rows(rows[300:])}
    columns = Columns(("text",), ("label",))
    errors = judge_labels(splits, columns, vectors)
    assert errors.unjudged == 1
    findings = run_checks(CheckInput(splits, columns, label_errors=errors), only=["label-errors"])
    assert [finding.split for finding in findings] == ["train", "test"]
    for finding, own in zip(findings, (wrong[:300], wrong[300:]), strict=True):
        hit = own[list(finding.rows)].sum()
        assert hit >= 0.6 * own.sum()
        assert hit >= 0.7 * len(finding.rows)
        assert list(finding.rows) == sorted(set(finding.rows))
    assert "95 % interval" in findings[0].message
    assert "review: {file: labels.csv}" in findings[0].fix
    assert run_checks(CheckInput(splits, columns), only=["label-errors"]) == []


def test_each_of_several_labels_is_judged_apart_and_put_right_in_the_form_of_its_cell():
    rows, wrong = rows_of(500, rate=0.1)
    columns = Columns(("text",), ("labels",), answers="sets", separator="|")
    sets = [[row["label"], "any"] if number % 2 else [row["label"]] for number, row in enumerate(rows)]
    for written in ("list", "text"):
        cells = [labels if written == "list" else "|".join(labels) for labels in sets]
        table = Table.from_rows([{"text": row["text"], "labels": cell} for row, cell in zip(rows, cells, strict=True)])
        errors = judge_labels({"all": table}, columns, vectors)
        listed = {each.row: each for each in errors.suspects}
        assert len(set(np.flatnonzero(wrong).tolist()) & set(listed)) >= 0.6 * wrong.sum()
        row = next(row for row in np.flatnonzero(wrong).tolist() if row in listed)
        better = {"pos": "neg", "neg": "pos"}[rows[row]["label"]]
        kept = ["any"] if row % 2 else []
        assert listed[row].suggested == ([*kept, better] if written == "list" else "|".join([*kept, better]))
    assert {each.name for each in errors.estimates} == {"pos", "neg", "any"}


def test_columns_of_0_and_1_get_the_other_value_of_their_column():
    rows, wrong = rows_of(500, rate=0.1)
    table = Table.from_rows(
        [{"text": row["text"], "pos": int(row["label"] == "pos"), "neg": int(row["label"] == "neg")} for row in rows]
    )
    errors = judge_labels({"all": table}, Columns(("text",), ("pos", "neg"), answers="sets"), vectors)
    listed = {(each.row, each.column): each for each in errors.suspects}
    assert all(each.suggested == 1 - each.given for each in errors.suspects)
    both = [row for row in np.flatnonzero(wrong).tolist() if {(row, "pos"), (row, "neg")} <= set(listed)]
    assert len(both) >= 0.5 * wrong.sum()
