"""New rows that are read as another label go, those that are read as their own stay, and none is learned from."""

import json

import numpy as np
import pytest

from supertune.contracts import Columns
from supertune.data import AUGMENTERS, Augmented, Table, augment, without_changed_labels
from supertune.data.augment import check_labels_can_be_kept
from supertune.data.augment.results import Made
from supertune.data.augmented_rows import AUGMENT_COLUMNS
from supertune.errors import UserError

COLUMNS = Columns(("text",), ("label",))
SIDES = {"cat": (1.0, 0.0), "dog": (0.0, 1.0)}


def vectors(texts, progress):
    """A text is as far to each side as it names animals, and a little further the longer it is."""
    found = []
    for number, text in enumerate(texts):
        found.append(np.mean([SIDES[word] for word in text.split() if word in SIDES], axis=0) + 0.001 * (len(text) % 7))
        progress(number + 1)
    return np.array(found, np.float32)


def made(originals, new):
    rows = [(text, label, at, None, None) for at, (text, label) in enumerate(originals)]
    rows += [(text, label, None, at, "rule") for text, label, at in new]
    names = ("text", "label", *AUGMENT_COLUMNS)
    table = Table.from_rows([dict(zip(names, row, strict=True)) for row in rows])
    return Augmented(table, (Made("rule", {}, asked=len(new), added=len(new)),))


ORIGINALS = [(f"cat number {n}", "feline") for n in range(12)] + [(f"dog number {n}", "canine") for n in range(12)]


def test_a_row_whose_text_turned_goes_and_a_faithful_one_stays():
    new = [
        ("a cat indeed", "feline", 0),
        ("a dog now", "feline", 1),
        ("dog still", "canine", 13),
        ("cat", "canine", 14),
    ]
    found = without_changed_labels(made(ORIGINALS, new), len(ORIGINALS), COLUMNS, vectors)
    assert found.judged == 4
    assert [(one.values["text"], one.read_as) for one in found.changed] == [("a dog now", "canine"), ("cat", "feline")]
    assert all(0.5 < one.probability <= 1 for one in found.changed)
    assert found.augmented.table.column("text")[24:] == ["a cat indeed", "dog still"]
    assert found.augmented.table.column("text")[:24] == [text for text, _ in ORIGINALS]
    told = found.augmented.made[0].as_dict()
    assert (told["added"], told["dropped"]) == (2, {"read as another label": 2})
    json.dumps([one.as_dict() for one in found.changed])


def test_of_an_original_that_is_read_wrongly_nothing_is_told():
    originals = [*ORIGINALS, ("dog mislabelled", "feline")]
    found = without_changed_labels(made(originals, [("dog again", "feline", 24)]), 25, COLUMNS, vectors)
    assert (found.judged, found.changed) == (0, ())
    assert len(found.augmented.table) == 26


def test_new_rows_are_never_learned_from():
    # A hundred wrong copies would turn any head that learned from them.
    new = [(f"dog {n}", "feline", n % 12) for n in range(100)]
    found = without_changed_labels(made(ORIGINALS, new), 24, COLUMNS, vectors)
    assert len(found.changed) == found.judged == 100


def test_what_was_made_earlier_stays_and_the_order_of_the_rows_decides_nothing():
    earlier = made(ORIGINALS, [("dog from before", "feline", 0)])
    assert without_changed_labels(earlier, 25, COLUMNS, vectors).augmented is earlier
    new = [("a dog now", "feline", 1), ("a cat indeed", "feline", 0)]
    one = without_changed_labels(made(ORIGINALS, new), 24, COLUMNS, vectors)
    other = without_changed_labels(made(ORIGINALS, new[::-1]), 24, COLUMNS, vectors)
    assert [each.values for each in one.changed] == [each.values for each in other.changed]


def test_what_the_augmenters_make_is_found_by_its_origin():
    table = Table.from_rows(
        [{"text": f"{text} in the garden of the house", "label": label} for text, label in ORIGINALS]
    )
    grown = augment(table, COLUMNS, [AUGMENTERS["random-swap"]()], seed=1)
    found = without_changed_labels(grown, len(table), COLUMNS, vectors)
    assert found.judged == len(grown.table) - len(table) > 0
    assert not found.changed


def test_without_texts_enough_or_single_labels_it_is_refused():
    few = Table.from_rows([{"text": f"t{n}", "label": "ab"[n % 2]} for n in range(8)])
    with pytest.raises(UserError, match="fewer than two labels have 5"):
        check_labels_can_be_kept(few, COLUMNS)
    sets = Columns(("text",), ("labels",), answers="sets")
    with pytest.raises(UserError, match="one label each"):
        check_labels_can_be_kept(few, sets)
