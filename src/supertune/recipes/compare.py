"""Runs beside each other on the same test rows: which is better, by how much, where, and could it be luck."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.console import Console
from supertune.contracts import Outcome
from supertune.errors import UserError
from supertune.evaluate import METRICS, McNemar, holm, mcnemar, measure, paired_difference
from supertune.files import write_jsonl
from supertune.recipes.compare_page import show_comparison
from supertune.recipes.comparison import Comparison, PairCompared, SliceDifference
from supertune.recipes.kinds import kind_of
from supertune.recipes.predict import refuse_existing
from supertune.recipes.slices import slices_of
from supertune.recipes.told_outcome import Told, told_outcome
from supertune.runs import added_value


def compare(
    runs: Sequence[Path], *, metrics: Sequence[str] = (), out: Path | None = None, console: Console
) -> Comparison:
    """Compare finished runs on the test rows that they have in common: the same file, read alike.

    Args:
        runs: Two or more.
        metrics: Which; empty for the one the first run is judged by and those that are told with it.
        out: JSONL file for the rows that are answered differently.
        console: Where to show it.

    Raises:
        UserError: There are fewer than two runs, one is not finished, they were measured on other rows or labels, or a
            metric has no paired comparison.
    """
    if len(runs) < 2 or len({path.resolve() for path in runs}) < len(runs):
        raise UserError("a comparison takes two different runs or more", fix="supertune compare runs/one runs/other")
    refuse_existing(out)
    told = _named_apart([told_outcome(path) for path in runs])
    _check_same_rows(told)
    names = list(dict.fromkeys(metrics)) or _usual_metrics(told[0])
    scores = {each.name: measure(each.outcome, names).scores for each in told}
    pairs = _with_holm([_pair(one, other, names) for one, other in itertools.combinations(told, 2)])
    found = Comparison(tuple(told), scores, names[0], tuple(pairs))
    show_comparison(found, console)
    if out is not None:
        count = write_jsonl(out, _flipped_rows(found))
        console.say(f"\n{count:,} rows that are answered differently: {out}")
    return found


def _named_apart(told: list[Told]) -> list[Told]:
    """Folders of the same name are called by their paths."""
    names = [each.name for each in told]
    return [replace(each, name=str(each.path)) if names.count(each.name) > 1 else each for each in told]


def _check_same_rows(told: Sequence[Told]) -> None:
    first = told[0]
    for other in told[1:]:
        if other.outcome.answers != first.outcome.answers:
            what = f"answers with {other.outcome.answers}, and {first.path} with {first.outcome.answers}"
            raise UserError(what, where=str(other.path), fix="compare runs of one task")
        if other.fingerprint != first.fingerprint or len(other.lines) != len(first.lines):
            raise UserError(
                f"was measured on other test rows than {first.path}",
                where=str(other.path),
                fix="train both on the same files (--test) or with the same data.split_seed",
            )
        if other.outcome.labels != first.outcome.labels:
            raise UserError(
                f"knows other labels than {first.path}", where=str(other.path), fix="train both on rows of all labels"
            )


def _usual_metrics(told: Told) -> list[str]:
    """The metric that a run is judged by, the one that is told of parts of the rows, and those told in training.

    The first is left out where it has no paired comparison; the second always has one.
    """
    known = METRICS[told.outcome.answers]
    usual = dict.fromkeys((told.primary, _BY_ROW[told.outcome.answers], *kind_of(told.task).told))
    return [name for name in usual if name in known and known[name].in_pairs]


def _pair(one: Told, other: Told, metrics: Sequence[str]) -> PairCompared:
    differences = {name: paired_difference(one.outcome, other.outcome, name) for name in metrics}
    differing = _answers(one.outcome) != _answers(other.outcome)
    flipped = np.flatnonzero(differing if differing.ndim == 1 else differing.any(axis=1))
    test = _mcnemar(one.outcome, other.outcome)
    slices = []
    for name, rows in slices_of(one.lines, one.columns, one.outcome):
        part, against = one.outcome.take(rows), other.outcome.take(rows)
        difference = paired_difference(part, against, _BY_ROW[part.answers])
        slices.append(SliceDifference(name, difference, _mcnemar(part, against)))
    adjusted = holm([part.test.mid_p for part in slices if part.test is not None])
    if adjusted:
        slices = [replace(part, probability=value) for part, value in zip(slices, adjusted, strict=True)]
    slices.sort(key=_least_like_luck)
    return PairCompared(one.name, other.name, differences, test, None, tuple(flipped.tolist()), tuple(slices))


def _least_like_luck(part: SliceDifference) -> tuple[float, float]:
    return (1.0 if part.test is None else part.test.mid_p, -abs(part.difference.value))


_BY_ROW = {"classes": "accuracy", "sets": "subset_accuracy", "numbers": "mae"}
"""What is told of slices: the metric that each row is right or wrong by, or how far off it is."""


def _answers(outcome: Outcome) -> NDArray[Any]:
    if outcome.answers == "classes":
        return np.asarray(outcome.outputs.argmax(axis=1))
    return np.asarray(outcome.given if outcome.given is not None else outcome.outputs)


def _right(outcome: Outcome) -> NDArray[np.bool_] | None:
    """Which rows are answered right; None for numbers, which are never quite."""
    if outcome.answers == "numbers":
        return None
    right = _answers(outcome) == outcome.targets
    return np.asarray(right if right.ndim == 1 else right.all(axis=1))


def _mcnemar(one: Outcome, other: Outcome) -> McNemar | None:
    first, second = _right(one), _right(other)
    if first is None or second is None:
        return None
    return mcnemar(int((first & ~second).sum()), int((second & ~first).sum()))


def _with_holm(pairs: list[PairCompared]) -> list[PairCompared]:
    adjusted = holm([pair.test.mid_p for pair in pairs if pair.test is not None])
    return (
        [replace(pair, probability=value) for pair, value in zip(pairs, adjusted, strict=True)] if adjusted else pairs
    )


def _flipped_rows(found: Comparison) -> Iterator[dict[str, Any]]:
    """Every row that not all answer alike, with what each run says."""
    rows = sorted({row for pair in found.pairs for row in pair.flipped})
    for row in rows:
        line = found.runs[0].lines[row]
        columns = (*found.runs[0].columns.text, *found.runs[0].columns.labels)
        said = {told.name: added_value("prediction", told.lines[row]) for told in found.runs}
        own = {name: line[name] for name in columns if name in line}
        yield {"row": int(added_value("row", line)), "columns": own, "predictions": said}
