"""The gate looks at entities: where they are said to be, how they overlap and contradict each other, slips of tags."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.contracts import Finding
from supertune.data import CheckInput, Table, infer_columns, run_checks

TEXT = "Ann Lee moved from Leeds to Köln 😀 with Bob."
GOOD = [[0, 7, "PER"], [19, 24, "LOC"], [28, 32, "LOC"], [40, 43, "PER"]]


def rows_of(*cells: Any, text: str = TEXT) -> list[dict[str, Any]]:
    return [{"text": f"{text} {row}", "entities": cell} for row, cell in enumerate(cells)]


def checked(rows: list[dict[str, Any]], *names: str, **splits: list[dict[str, Any]]) -> list[Finding]:
    tables = {"train" if splits else "all": Table.from_rows(rows)}
    tables |= {split: Table.from_rows(given) for split, given in splits.items()}
    columns = infer_columns(next(iter(tables.values())), answers="spans")
    return run_checks(CheckInput(tables, columns, bool(splits)), only=names or ["entities"])


def test_entities_that_are_where_they_are_said_to_be_are_no_finding() -> None:
    assert checked(rows_of(GOOD, GOOD, None)) == []


def test_lost_words_are_told_with_what_stands_there() -> None:
    lost = [{"start": 0, "end": 3, "text": "Eve", "label": "PER"}]
    (finding,) = [one for one in checked(rows_of(GOOD, lost)) if one.severity == "error"]
    assert finding.rows == (1,)
    assert "1 entity is nowhere in the text (row 1: 'Eve' is said to stand at 0, where 'Ann' is)" in finding.message
    findings = checked(rows_of(GOOD), test=rows_of(lost, text="another text, for"))
    assert {one.severity for one in findings if "nowhere" in one.message} == {"warning"}


def test_overlapping_entities_stop_training_where_there_are_many() -> None:
    nested = [*GOOD, [4, 7, "NAME"]]
    (few,) = checked(rows_of(*[GOOD] * 30, nested))
    assert (few.severity, few.rows) == ("warning", (30,))
    assert "'Lee', \"NAME\"" in few.message
    (many,) = checked(rows_of(*[GOOD] * 3, nested))
    assert many.severity == "error"


@pytest.mark.parametrize(
    ("place", "says"),
    [((40, 42), "name the last character"), ((41, 44), "halves of UTF-16"), ((44, 47), "count bytes")],
)
def test_other_ways_to_count_are_mended_and_told(place: tuple[int, int], says: str) -> None:
    (finding,) = checked(rows_of([{"start": place[0], "end": place[1], "text": "Bob", "label": "PER"}]))
    assert (finding.severity, finding.rows) == ("warning", (0,))
    assert says in finding.message
    assert "stands at 40 to 43" in finding.message


def test_ends_that_name_the_last_character_show_without_words() -> None:
    included = [[start, end - 1, label] for start, end, label in GOOD]
    (finding,) = checked(rows_of(included, included))
    assert finding.severity == "error"
    assert "cut one character before the end of a word (row 0: 'Ann Le', not 'Ann Lee')" in finding.message


def test_white_space_repeats_and_texts_without_entities_are_told() -> None:
    findings = checked(rows_of([[3, 7, "PER"]], [[0, 7, "PER"], [0, 7, "PER"]], [], GOOD))
    told = {one.message.split(" (")[0]: one for one in findings}
    assert {one.severity for one in findings} == {"info"}
    assert told["1 entity has white space at the edge"].rows == (0,)
    assert told["1 entity is written down twice, and counted once"].rows == (1,)
    assert told["1 row"].rows == (2,)


def test_a_mention_that_is_labelled_differently_once_is_told() -> None:
    slip = [[0, 7, "ORG"], *GOOD[1:]]
    (finding,) = checked(rows_of(*[GOOD] * 9, slip))
    assert (finding.severity, finding.rows) == ("warning", (9,))
    assert '\'Ann Lee\': "PER" 9, "ORG" 1' in finding.message
    # As often the one as the other is no slip.
    assert checked(rows_of(*[GOOD, slip] * 5)) == []


def test_slips_of_tags_are_told_with_their_token() -> None:
    tokens, good = ["Ann", "Lee", "left"], ["B-PER", "I-PER", "O"]
    rows = [{"tokens": [*tokens, str(row)], "tags": [*good, "O"]} for row in range(30)]
    rows[4]["tags"] = ["O", "I-PER", "O", "O"]
    (finding,) = checked(rows)
    assert (finding.severity, finding.rows) == ("warning", (4,))
    assert "1 tag, in 1 row, breaks the rules of IOB2 (row 4, token 1: I-PER at 'Lee' goes on" in finding.message
    for row in range(8):
        rows[row]["tags"] = ["O", "I-PER", "O", "O"]
    assert [one.severity for one in checked(rows)] == ["error"]


def test_checks_of_labels_count_the_rows_that_have_them() -> None:
    rows = rows_of(*[GOOD] * 9, [[0, 7, "ODD"]])
    (finding,) = checked(rows, "rare-classes", "imbalance")
    assert (finding.check, finding.severity, finding.rows) == ("rare-classes", "error", (9,))
    assert '"ODD" (1)' in finding.message


def test_equal_texts_with_other_entities_contradict_each_other() -> None:
    rows = [{"text": TEXT, "entities": GOOD}, {"text": f" {TEXT}", "entities": [[1, 8, "PER"]]}]
    (finding,) = checked([*rows, *rows_of(*[GOOD] * 50)], "label-conflicts")
    assert finding.rows == (0, 1)
    assert "different entities" in finding.message
    same = [{"text": TEXT, "entities": GOOD}, {"text": f" {TEXT}", "entities": [[s + 1, e + 1, x] for s, e, x in GOOD]}]
    assert checked([*same, *rows_of(*[GOOD] * 50)], "label-conflicts") == []
