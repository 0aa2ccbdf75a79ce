"""Texts beside each other: the right rows are shown, and the pictures count all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.contracts import Grid, Histogram, Outcome, Paragraph, Quote
from supertune.errors import UserError
from supertune.evaluate import SideBySide, measure, row_scores, side_by_side

ROWS = 40


def laid() -> SideBySide:
    targets, tuned, before = (np.empty(ROWS, object) for _ in range(3))
    for row in range(ROWS):
        targets[row] = (f"句子 number {row} of the rows",)
        tuned[row] = f"句子 number {row} of the rows"[: row + 3]
        before[row] = "" if row == 0 else "no idea " * 40
    ended = np.array(["stop"] * ROWS, object)
    outcome = Outcome(targets, tuned, answers="generated", ended=ended)
    other = replace(outcome, outputs=before, ended=np.array(["length"] * ROWS, object))
    return SideBySide(
        prompts=[f"prompt {row}" for row in range(ROWS)],
        outcome=outcome,
        values=row_scores(outcome, "chrf"),
        metric="chrf",
        scores=measure(outcome, ["chrf", "empty"], resamples=50).scores,
        others={"before training": other},
        other_values={"before training": row_scores(other, "chrf")},
        other_scores={"before training": measure(other, ["chrf"], resamples=50).scores},
        numbers=range(100, 100 + ROWS),
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_worst_the_middle_and_the_best_rows_are_quoted_once_each_and_in_order(language: str) -> None:
    beside = laid()
    _, quoted = side_by_side(beside, language=language)
    quotes = [block for block in quoted.blocks if isinstance(block, Quote)]
    shown = [int(quote.text.split()[1]) for quote in quotes]
    assert len(shown) == len(set(shown)) == 18
    values = beside.values[shown]
    assert set(values[:6]) == set(np.sort(beside.values)[:6])
    assert (np.diff(values[:12]) >= 0).all()
    assert set(values[12:]) == set(np.sort(beside.values)[-6:])
    assert (np.diff(values[12:]) <= 0).all()
    for row, quote in zip(shown, quotes, strict=True):
        notes = list(quote.notes.values())
        assert notes[0] == beside.outcome.targets[row][0]
        assert notes[1] == beside.outcome.outputs[row]
        assert str(100 + row) in notes
        assert "before training" in quote.notes
        assert f"{beside.values[row]:.3f}" in quote.notes["chrf"]
        # A text that came to no end is told from one that did, and nothing from something.
        assert quote.notes["before training"].endswith((")", "）"))
    assert any(isinstance(block, Paragraph) for block in quoted.blocks)


def test_the_table_has_every_score_and_the_pictures_count_every_row() -> None:
    beside = laid()
    results, _ = side_by_side(beside)
    table, *pictures = results.blocks
    assert isinstance(table, Grid)
    assert table.header == ("metric", "this model", "before training")
    assert table.rows[0][1:] == (beside.scores["chrf"], beside.other_scores["before training"]["chrf"])
    assert table.rows[1][2] == "–"
    for picture in pictures:
        assert isinstance(picture, Histogram)
        assert {sum(counts) for counts in picture.groups.values()} == {ROWS}
        assert all(len(counts) + 1 == len(picture.edges) for counts in picture.groups.values())
    assert isinstance(pictures[0], Histogram)
    ahead = int((beside.values > beside.other_values["before training"]).sum())
    assert f"{ahead} rows have a higher chrf" in pictures[0].caption


def test_texts_can_be_left_out() -> None:
    _, quoted = side_by_side(laid(), show_text=False)
    for block in quoted.blocks:
        told = repr(block)
        assert "prompt" not in told
        assert "number" not in told
        assert "no idea" not in told


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 17, 18, 19])
def test_few_rows_are_quoted_once_and_lower_may_be_better(rows: int) -> None:
    beside = laid()
    some = np.arange(rows)
    few = SideBySide(
        beside.prompts[:rows], beside.outcome.take(some), np.arange(rows) / 2.0, "ter", higher_is_better=False
    )
    results, quoted = side_by_side(few)
    quotes = [block for block in quoted.blocks if isinstance(block, Quote)]
    assert quotes[0].text == f"prompt {rows - 1}"
    assert len({quote.text for quote in quotes}) == len(quotes) == min(rows, 18)
    assert all(isinstance(block, Histogram) for block in results.blocks)


def test_what_is_not_of_all_rows_is_refused() -> None:
    with pytest.raises(UserError, match="39 prompts"):
        side_by_side(replace(laid(), prompts=["x"] * 39))
    with pytest.raises(UserError, match="no words"):
        side_by_side(laid(), language="fr")
