"""What tells the label without the text being understood: a length, a word, the place that a row comes from.

A model learns the cheapest cue there is. Where positive reviews were all taken from one page, their signature is
learned, and scores on rows of the same pages do not show it (Gururangan et al. 2018 found such cues in questions of
inference). No model is asked: how often a cue stands beside a label is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Finding, FloatArray, IntArray
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import MISSING, written
from supertune.data.check.texts import BLANK
from supertune.data.check.wording import listed
from supertune.data.names import is_source_name
from supertune.data.table import Table
from supertune.language import has_unspaced_script, shorten

_DRAWN = 10_000
_CHARACTERS = 2_000
"""Rows that are looked at, spread evenly, and characters of each text: five seconds' work where all are as
long and Chinese."""
_FEWEST = 20
"""Rows with a label, and rows without it, below which nothing is said of a cue."""
_NOTABLE, _DECIDES = 0.4, 0.75
"""How far the share of rows that have a cue must differ between a label's rows and all others, at the least."""
_ERRORS = 4.0
"""Standard errors that are taken off the difference: many thousands of cues are looked at, and 4 are exceeded by chance
once in 30,000."""
_SHOWN = 4
_PIECES = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")


@dataclass(frozen=True)
class _Cue:
    """Something that rows of one label have and others have not, or the other way round.

    Attributes:
        what: As a sentence begins: ``the word 'free'``.
        label: Index of the label.
        inside: Share of the label's rows that have it.
        outside: Share of the other rows.
        sure: Of the difference of the two, what is left when chance is taken off.
        lacked: It is not to have it that tells the label.
    """

    what: str
    label: int
    inside: float
    outside: float
    sure: float
    lacked: bool = False

    @property
    def rank(self) -> tuple[float, bool, int]:
        """The surest first, what is there before what is not, and of a phrase the longest piece."""
        return -self.sure, self.lacked, -len(self.what)


def check_shortcuts(check_input: CheckInput) -> list[Finding]:
    """Find a word, a length or a source that nearly decides a label of the training rows by itself."""
    columns = check_input.columns
    if columns.answers != "classes" or len(columns.labels) != 1:
        return []
    split = check_input.training_split
    codes: IntArray = check_input.labels.of[split].astype(np.int64)
    rows = np.flatnonzero((codes != MISSING) & (check_input.texts.of[split] != BLANK))
    if len(rows) > _DRAWN:
        rows = rows[np.linspace(0, len(rows) - 1, _DRAWN).round().astype(np.int64)]
    codes = codes[rows]
    counts: IntArray = np.bincount(codes, minlength=len(check_input.labels.labels)).astype(np.int64)
    if not ((counts >= _FEWEST) & (len(rows) - counts >= _FEWEST)).any():
        return []
    table = check_input.splits[split].select(rows, step="looked at for shortcuts")
    cues = [
        *(cue for name in columns.text for cue in _said(table, name, codes, counts, several=len(columns.text) > 1)),
        *(
            cue
            for name in _sources(table, columns.text, columns.labels)
            for cue in _origins(table, name, codes, counts)
        ),
    ]
    labels = check_input.labels.labels
    two = int(np.count_nonzero(counts)) == 2
    findings = []
    for code in np.unique([cue.label for cue in cues]).tolist() if cues else []:
        own = sorted((cue for cue in cues if cue.label == code), key=_rank)
        rival = min((cue for cue in cues if cue.label != code), key=_rank, default=None)
        # Of two labels a cue for the one is a cue against the other: it is told once.
        if two and rival is not None and (rival.rank, rival.label) < (own[0].rank, code):
            continue
        findings.append(_finding(check_input, split, written(labels[code]), own))
    return findings


def _rank(cue: _Cue) -> tuple[float, bool, int]:
    return cue.rank


def _finding(check_input: CheckInput, split: str, label: str, cues: list[_Cue]) -> Finding:
    shown = [f"{cue.what} ({cue.inside:.0%} of them, {cue.outside:.0%} of all others)" for cue in cues]
    decides = cues[0].sure >= _DECIDES
    return Finding(
        check="shortcuts",
        severity="warning" if decides else "info",
        split=split,
        message=f"rows labelled {label} can {'nearly ' if decides else 'often '}be told by one thing alone: "
        f"{listed(shown, _SHOWN)}",
        fix="nothing, if that is what the label means; if it comes from how rows were collected (a signature, a form, "
        "another site for each label), take it out of the texts and test on rows from elsewhere",
    )


def _said(table: Table, name: str, codes: IntArray, counts: IntArray, *, several: bool) -> Iterator[_Cue]:
    """The words of a column, its marks and its length."""
    where = f" in {name!r}" if several else ""
    known: dict[str, int] = {}
    found: list[int] = []
    ends = np.zeros(len(table) + 1, np.int64)
    lengths = np.zeros(len(table))
    for row, text in enumerate(table.texts((name,))):
        lengths[row] = len(text)
        pieces = pieces_of(text[:_CHARACTERS])
        found += [known.setdefault(piece, len(known)) for piece in pieces]
        ends[row + 1] = len(found)
    owners = np.repeat(codes, np.diff(ends))
    width = len(counts)
    inside = np.bincount(np.array(found, np.int64) * width + owners, minlength=len(known) * width)
    pieces_by_number = list(known)
    for number, code, one, other, sure in _differences(inside.reshape(-1, width), counts):
        verb = "" if one > other else "not "
        what = f"{verb}{_called(pieces_by_number[number])}{where}"
        yield _Cue(what, code, *_having(one, other), sure, lacked=one < other)
    yield from _length(lengths, codes, counts, where)


def pieces_of(text: str) -> set[str]:
    """What may be a cue in a text: words, numbers, marks, its first word and its last character.

    Chinese is not divided into words: its characters and pairs of characters are taken. Pieces of a kind of their own
    begin with a tab, which no word does.
    """
    pieces: set[str] = set()
    parts = _PIECES.findall(text)
    for part in parts:
        if has_unspaced_script(part):
            pieces.update(part)
            pieces.update(part[place : place + 2] for place in range(len(part) - 1))
        else:
            pieces.add(part.casefold())
    if parts:
        first, last = parts[0], parts[-1]
        pieces.add("\tbegin" + (first[:2] if has_unspaced_script(first) else first.casefold()))
        pieces.add("\tend" + last[-1])
    if any(map(str.isupper, text)):
        pieces.add("\tcapitals")
    return pieces


def _called(piece: str) -> str:
    if piece == "\tcapitals":
        return "capital letters"
    for mark, words in (("\tbegin", "beginning with"), ("\tend", "ending with")):
        if piece.startswith(mark):
            return f"{words} {shorten(piece.removeprefix(mark), 20)!r}"
    return f"containing {shorten(piece, 20)!r}"


def _having(one: float, other: float) -> tuple[float, float]:
    """Shares as they are told: of having the cue, or of not having it where that is the label's sign."""
    return (one, other) if one > other else (1 - one, 1 - other)


def _differences(inside: IntArray, counts: IntArray) -> Iterator[tuple[int, int, float, float, float]]:
    """The cues that matter: number, label, share inside, share outside, and the difference less chance.

    Args:
        inside: int64 (cues, labels): rows that have the cue, by label.
        counts: int64 (labels,): rows of each label.
    """
    total = int(counts.sum())
    enough = (counts >= _FEWEST) & (total - counts >= _FEWEST)
    others = inside.sum(axis=1, keepdims=True) - inside
    sure = sure_difference(inside, counts, others, total - counts)
    rates = inside / np.maximum(counts, 1), others / np.maximum(total - counts, 1)
    for number, code in np.argwhere((sure >= _NOTABLE) & enough).tolist():
        yield number, code, float(rates[0][number, code]), float(rates[1][number, code]), float(sure[number, code])


def sure_difference(one: IntArray, of_one: IntArray, other: IntArray, of_other: IntArray) -> FloatArray:
    """How far two shares differ, less `_ERRORS` standard errors; a row is added to each side of each share.

    With nothing added, shares of 0 and 1 would have no error however few the rows (Agresti and Caffo 2000).
    """
    first, second = (one + 1) / (of_one + 2), (other + 1) / (of_other + 2)
    error = np.sqrt(first * (1 - first) / (of_one + 2) + second * (1 - second) / (of_other + 2))
    found: FloatArray = np.abs(first - second) - _ERRORS * error
    return found


def _length(lengths: FloatArray, codes: IntArray, counts: IntArray, where: str) -> Iterator[_Cue]:
    """The range of lengths that tells a label best: between where its rows gain most on the others.

    The two distributions' largest distances in both directions make Kuiper's statistic, and its range.
    """
    values = np.unique(lengths)
    places = np.searchsorted(values, lengths)
    table = np.bincount(places * len(counts) + codes, minlength=len(values) * len(counts)).reshape(-1, len(counts))
    total = len(codes)
    for code in np.flatnonzero((counts >= _FEWEST) & (total - counts >= _FEWEST)).tolist():
        own, all_rows = table[:, code], table.sum(axis=1)
        ahead = np.concatenate([[0.0], np.cumsum(own / counts[code] - (all_rows - own) / (total - counts[code]))])
        last = int(np.argmax(ahead - np.minimum.accumulate(ahead)))
        if not last:
            continue
        first = int(np.argmin(ahead[:last]))
        one, other = int(own[first:last].sum()), int((all_rows - own)[first:last].sum())
        sure = float(sure_difference(np.array([one]), counts[[code]], np.array([other]), total - counts[[code]])[0])
        if sure >= _NOTABLE:
            inside, outside = one / counts[code], other / (total - counts[code])
            yield _Cue(f"{_range(values, first, last)}{where}", code, inside, outside, sure)


def _range(values: FloatArray, first: int, last: int) -> str:
    low, high = f"{values[first]:,.0f}", f"{values[last - 1]:,.0f}"
    if first == 0:
        return f"at most {high} characters"
    return f"{low} characters or more" if last == len(values) else f"{low} to {high} characters"


def _sources(table: Table, text: tuple[str, ...], labels: tuple[str, ...]) -> list[str]:
    return [name for name in table.column_names if name not in (*text, *labels) and is_source_name(name)]


def _origins(table: Table, name: str, codes: IntArray, counts: IntArray) -> Iterator[_Cue]:
    """Where rows come from, as a column says: each place for itself."""
    known: dict[str, int] = {}
    places = np.array([known.setdefault(_site(value), len(known)) for value in table.column(name)], np.int64)
    inside = np.bincount(places * len(counts) + codes, minlength=len(known) * len(counts)).reshape(-1, len(counts))
    names = list(known)
    for number, code, one, other, sure in _differences(inside, counts):
        verb = "" if one > other else "not "
        what = f"{verb}{shorten(names[number], 40)!r} as {name!r}"
        yield _Cue(what, code, *_having(one, other), sure, lacked=one < other)


def _site(value: object) -> str:
    """The site of an address; other values as they are."""
    said = "" if value is None else str(value)
    return said.split("/")[2] if re.match(r"https?://[^/]", said) else said
