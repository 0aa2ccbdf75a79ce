"""Labels that depend on who gave them, on when, or on the file that they stand in.

Two people who read the same kind of texts should give much the same labels, and so should one person in spring and in
autumn. Where they do not, either the texts differ or the rules do; a count cannot tell which, and says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Finding, FloatArray, IntArray
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import MISSING, written
from supertune.data.check.numbers import numbers_of
from supertune.data.check.wording import counted, listed, percent
from supertune.data.names import is_annotator_name, is_time_name
from supertune.data.split_by_time import moment_of
from supertune.language import shorten

_FEWEST = 20
"""Rows below which nothing is said of an annotator, a part of time or a split."""
_NOTABLE, _STRONG = 0.1, 0.25
"""How far distributions must lie apart, at the least: the share of rows that would have to be labelled otherwise."""
_UNLIKELY = 0.001
"""How seldom chance may do that, over all that are compared."""
_PARTS = 4
"""Parts of time: the oldest quarter of the rows, the next one, …"""
_PARSED = 0.95
"""Share of a column's values that must be times."""


@dataclass(frozen=True)
class _Part:
    """Rows that are compared with others.

    Attributes:
        name: Who or what they are.
        rows: Indices into the table.
        distance: Between their labels and the others': 0 to 1.
        said: What differs most, in words.
    """

    name: str
    rows: IntArray
    distance: float
    said: str


def check_drift(check_input: CheckInput) -> list[Finding]:
    """Compare the labels of annotators, of parts of time, and of the splits that the user gave."""
    columns = check_input.columns
    if columns.answers not in ("classes", "numbers") or len(columns.labels) != 1:
        return []
    findings: list[Finding] = []
    for split, table in check_input.splits.items():
        values = _values(check_input, split)
        others = [name for name in table.column_names if name not in (*columns.text, *columns.labels, columns.group)]
        for name in filter(is_annotator_name, others):
            people = _people(table.column(name))
            findings += _annotators(check_input, split, name, people, values)
            findings += _disagreement(check_input, split, name, people, values)
        for name in filter(is_time_name, others):
            findings += _times(check_input, split, name, table.column(name), values)
    return [*findings, *_splits(check_input)]


def _values(check_input: CheckInput, split: str) -> FloatArray:
    """float64 (rows,): the class as a number, or the number; NaN where there is none."""
    if check_input.columns.answers == "numbers":
        return numbers_of(check_input.splits[split], check_input.columns.labels)[:, 0]
    codes = check_input.labels.of[split].astype(np.float64)
    codes[codes == MISSING] = np.nan
    return codes


def _people(values: Sequence[object]) -> NDArray[np.str_]:
    return np.array(["" if value is None else str(value).strip() for value in values], dtype=np.str_)


def _annotators(
    check_input: CheckInput, split: str, name: str, people: NDArray[np.str_], values: FloatArray
) -> Iterator[Finding]:
    """Annotators whose labels are distributed otherwise than those of all the others together."""
    labelled = ~np.isnan(values) & (people != "")
    names, counts = np.unique(people[labelled], return_counts=True)
    compared = [each for each, count in zip(names.tolist(), counts.tolist(), strict=True) if count >= _FEWEST]
    if len(names) < 2:
        return
    parts = [
        part
        for each in compared
        if (
            part := _part(check_input, each, labelled & (people == each), labelled & (people != each), values, compared)
        )
    ]
    if parts:
        yield _finding(
            check_input,
            split,
            parts,
            f"{counted(len(parts), 'annotator')} of {len(names):,} ({name!r}) {'gives' if len(parts) == 1 else 'give'} "
            "other labels than the rest",
            "see whether they were given other texts; if not, let them label some of the same rows, agree on what the "
            "labels mean, and look at these rows again",
        )


def _disagreement(
    check_input: CheckInput, split: str, name: str, people: NDArray[np.str_], values: FloatArray
) -> Iterator[Finding]:
    """Annotators who contradict the others about texts that several of them were given, more often than is usual."""
    if check_input.columns.answers != "classes":
        return
    from scipy.stats import binomtest

    texts = check_input.texts.of[split]
    given: dict[int, dict[str, float]] = defaultdict(dict)
    for row in check_input.texts.shared(split).tolist():
        if people[row] and not np.isnan(values[row]):
            given[int(texts[row])].setdefault(str(people[row]), float(values[row]))
    asked: Counter[str] = Counter()
    against: Counter[str] = Counter()
    for labels in given.values():
        for person, label in labels.items():
            rest = Counter(other for one, other in labels.items() if one != person).most_common(2)
            if rest and (len(rest) == 1 or rest[0][1] > rest[1][1]):
                asked[person] += 1
                against[person] += label != rest[0][0]
    told = []
    compared = [person for person, count in asked.items() if count >= _FEWEST]
    for person in sorted(compared):
        others = asked.total() - asked[person]
        usual = (against.total() - against[person]) / others if others else 0.0
        share = against[person] / asked[person]
        if len(asked) > 2 and share - usual >= _NOTABLE:
            test = binomtest(against[person], asked[person], max(usual, 1 / (others + 2)), alternative="greater")
            if test.pvalue < _UNLIKELY / len(compared):
                told.append((share, person, usual))
    if told:
        told.sort(reverse=True)
        shown = [
            f"{shorten(person, 30)!r} contradicts the others about {share:.0%} of {asked[person]:,} texts, as is usual "
            f"about {usual:.0%}"
            for share, person, usual in told
        ]
        rows = np.flatnonzero(np.isin(people, [person for _, person, _ in told]))
        yield Finding(
            check="drift",
            severity="warning",
            split=split,
            rows=check_input.row_numbers(split, rows),
            message=f"of texts that several annotators ({name!r}) were given: {listed(shown)}",
            fix="agree on what the labels mean, and look at the rows of these annotators again",
        )


def _times(
    check_input: CheckInput, split: str, name: str, given: Sequence[object], values: FloatArray
) -> Iterator[Finding]:
    """Labels that become other ones as time goes by."""
    moments = np.array([np.nan if (moment := moment_of(value)) is None else moment for value in given], np.float64)
    if not len(moments) or np.isnan(moments).mean() > 1 - _PARSED:
        return
    rows = np.flatnonzero(~np.isnan(moments) & ~np.isnan(values))
    if len(np.unique(moments[rows])) < _PARTS or len(rows) < _PARTS * _FEWEST:
        return
    # Rows of one moment stay in one part.
    borders = np.quantile(moments[rows], np.arange(1, _PARTS) / _PARTS)
    part_of = np.full(len(moments), -1)
    part_of[rows] = np.searchsorted(borders, moments[rows], side="right")
    names = [f"{_ORDINALS[place]} quarter" for place in range(_PARTS)]
    parts = []
    for place, called in enumerate(names):
        inside, outside = part_of == place, (part_of != place) & (part_of >= 0)
        if (part := _part(check_input, called, inside, outside, values, names)) is not None:
            parts.append(part)
    if parts:
        yield _finding(
            check_input,
            split,
            parts,
            f"labels change with time ({name!r})",
            f"supertune split DATA --time {name} --out divided asks about the newest rows, as will be done in use; a "
            "score on rows drawn at random promises too much",
        )


_ORDINALS = ("oldest", "second", "third", "newest")


def _splits(check_input: CheckInput) -> Iterator[Finding]:
    """Files to be asked about whose labels are distributed otherwise than those learned from."""
    learned = check_input.training_split
    if not check_input.given_splits or learned not in check_input.splits:
        return
    held = [split for split in check_input.splits if split != learned]
    known = _values(check_input, learned)
    for split in held:
        own = _values(check_input, split)
        both = np.concatenate([own, known])
        inside = np.arange(len(both)) < len(own)
        labelled = ~np.isnan(both)
        part = _part(check_input, split, inside & labelled, ~inside & labelled, both, held)
        if part is not None:
            yield _finding(
                check_input,
                split,
                [part],
                f"the labels of {split} are not those of {learned}",
                "nothing, if rows in use will be like these; else divide all rows anew: supertune split DATA --out "
                "divided keeps the shares of the labels",
                rows=(),
            )


def _part(
    check_input: CheckInput,
    name: str,
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    values: FloatArray,
    compared: Sequence[str],
) -> _Part | None:
    """What differs between some rows and the others; None where that is little or may be chance."""
    own, rest = values[inside], values[outside]
    if min(len(own), len(rest)) < _FEWEST:
        return None
    found = _numbers(own, rest) if check_input.columns.answers == "numbers" else _classes(check_input, own, rest)
    distance, probability, said = found
    if distance < _NOTABLE or probability >= _UNLIKELY / len(compared):
        return None
    return _Part(name, np.flatnonzero(inside), distance, said)


def _classes(check_input: CheckInput, own: FloatArray, rest: FloatArray) -> tuple[float, float, str]:
    """Total variation distance, the chi-squared test's probability, and the class that differs most."""
    from scipy.stats import chi2_contingency

    labels = check_input.labels.labels
    counts = np.stack([np.bincount(each.astype(np.int64), minlength=len(labels)) for each in (own, rest)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    seen = counts[:, counts.sum(axis=0) > 0]
    probability = float(chi2_contingency(seen).pvalue) if seen.shape[1] > 1 else 1.0
    most = int(np.argmax(np.abs(shares[0] - shares[1])))
    said = f"{written(labels[most])} {_share(counts[0], most)}, elsewhere {_share(counts[1], most)}"
    return distance, probability, said


def _share(counts: NDArray[np.int64], label: int) -> str:
    return percent(int(counts[label]), int(counts.sum()))


def _numbers(own: FloatArray, rest: FloatArray) -> tuple[float, float, str]:
    """The largest distance of the two distributions, its probability (Kolmogorov and Smirnov), and the medians."""
    from scipy.stats import ks_2samp

    found = ks_2samp(own, rest)
    said = f"half are below {np.median(own):.4g}, elsewhere below {np.median(rest):.4g}"
    return float(found.statistic), float(found.pvalue), said


def _finding(
    check_input: CheckInput,
    split: str,
    parts: list[_Part],
    what: str,
    fix: str,
    rows: tuple[int, ...] | None = None,
) -> Finding:
    parts = sorted(parts, key=lambda part: -part.distance)
    shown = [f"{shorten(part.name, 30)!r} ({len(part.rows):,} rows: {part.said})" for part in parts]
    indices = np.unique(np.concatenate([part.rows for part in parts])) if rows is None else None
    return Finding(
        check="drift",
        severity="warning" if parts[0].distance >= _STRONG else "info",
        split=split,
        rows=check_input.row_numbers(split, indices) if indices is not None else (),
        message=f"{what}: {listed(shown)}",
        fix=fix,
    )
