"""Entities that are not where they are said to be, overlap, contradict each other, or are missing; slips of tags."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Finding, Label, Severity
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import written
from supertune.data.check.wording import counted, listed, more_than_one_in_twenty, percent, within
from supertune.data.span_columns import entities_of_rows
from supertune.entity_spans import Fault, How, Tagged
from supertune.entity_tags import scheme_of, slips
from supertune.language import inside_word, shorten

_SHOWN_WIDTH = 40
_FEWEST_MENTIONS = 3
_CLEARLY = 0.2
"""Share of a mention's entities with another label than most, from which they are told."""
_CUT = 0.5
"""Share of the entities that end inside a word, from which the last character seems to be left out."""
_MENDED: Mapping[How, tuple[str, str]] = {
    "last-included": (
        "name the last character as their end, and not the one behind it",
        "add one to every end, as Python counts; or leave it, since the words tell",
    ),
    "from-one": ("count characters from 1", "count from 0, as Python does; or leave it, since the words tell"),
    "utf-16": (
        "count halves of UTF-16, as JavaScript and Java do, so that an emoji counts twice",
        "count characters (code points); or leave it, since the words tell",
    ),
    "bytes": ("count bytes, not characters", "count characters (code points); or leave it, since the words tell"),
    "elsewhere": (
        "do not stand where they are said to; the nearest place of the same words is taken",
        "correct start and end: characters from 0, the end behind the last one",
    ),
    "first": (
        "stand in several places of their text, and nobody says which is meant; the first is taken",
        "write start and end beside the words",
    ),
}


@dataclass(frozen=True)
class _Row:
    number: int
    found: Tagged


def check_entities(check_input: CheckInput) -> list[Finding]:
    """Find entities that cannot be learned as they are written, or that look like slips.

    Those that are nowhere in their text, and overlapping ones of which only the longest can be learned, are errors in
    more than one of twenty rows; so are tags that break the rules of their scheme.
    """
    if check_input.columns.answers != "spans" or not check_input.columns.labels:
        return []
    findings: list[Finding] = []
    rows = {split: _rows(check_input, split) for split in check_input.splits}
    scheme = scheme_of(row.found.tags for several in rows.values() for row in several if row.found.tags)
    for split, several in rows.items():
        by_how: defaultdict[How, list[tuple[_Row, Fault]]] = defaultdict(list)
        for row in several:
            for fault in row.found.faults:
                by_how[fault.how].append((row, fault))
        findings += _lost(check_input, split, by_how["lost"])
        findings += _overlapping(check_input, split, by_how["overlap"])
        for how in _MENDED:
            findings += _mended(check_input, split, how, by_how[how])
        findings += _edges(check_input, split, by_how["blank-edge"])
        findings += _twice(check_input, split, by_how["twice"])
        findings += _slips(check_input, split, several, scheme)
        findings += _cut_words(check_input, split, several)
        findings += _without(check_input, split, several)
    return findings + _contradictions(check_input, rows[check_input.training_split])


def _rows(check_input: CheckInput, split: str) -> list[_Row]:
    found = entities_of_rows(check_input.splits[split], check_input.columns)
    return [_Row(number, one) for number, one in enumerate(found)]


def _finding(
    check_input: CheckInput, split: str, rows: Sequence[_Row], severity: Severity, message: str, fix: str
) -> Finding:
    numbers = np.unique([row.number for row in rows]).astype(np.int64)
    return Finding("entities", severity, message, fix, split, check_input.row_numbers(split, numbers))


def _severity(check_input: CheckInput, split: str, rows: Sequence[_Row]) -> Severity:
    """Of what is not learned as it is written."""
    share = more_than_one_in_twenty(len({row.number for row in rows}), len(check_input.splits[split]))
    return "error" if share and split == check_input.training_split else "warning"


def _lost(check_input: CheckInput, split: str, found: Sequence[tuple[_Row, Fault]]) -> list[Finding]:
    if not found:
        return []
    (row, fault), rows = found[0], [row for row, _ in found]
    said = fault.said
    there = ""
    if said.start is not None and said.end is not None:
        stands = row.found.text[max(said.start, 0) : max(said.end, 0)]
        there = f" is said to stand at {said.start:,}, where {_quoted(stands)} is"
    message = f"{counted(len(found), 'entity', 'entities')}{within(split)} {_be(found)} nowhere in the text "
    message += f"(row {_number(check_input, split, row)}: {_quoted(said.text or '')}{there}), and left out"
    fix = "copy its words from the text, character by character, or correct start and end"
    return [_finding(check_input, split, rows, _severity(check_input, split, rows), message, fix)]


def _overlapping(check_input: CheckInput, split: str, found: Sequence[tuple[_Row, Fault]]) -> list[Finding]:
    if not found:
        return []
    (row, fault), rows = found[0], [row for row, _ in found]
    said = fault.said
    words = said.text or row.found.text[said.start or 0 : said.end or 0]
    overlap = "overlaps" if len(found) == 1 else "overlap"
    message = (
        f"{counted(len(found), 'entity', 'entities')}{within(split)} {overlap} with another one (row "
        f"{_number(check_input, split, row)}: {_quoted(words)}, {written(said.label)}); a character is learned as part "
        "of one entity, so the longer one is kept, and scored by"
    )
    fix = "keep one of them; for entities within entities, train one model for the inner ones and one for the outer"
    return [_finding(check_input, split, rows, _severity(check_input, split, rows), message, fix)]


def _mended(check_input: CheckInput, split: str, how: How, found: Sequence[tuple[_Row, Fault]]) -> list[Finding]:
    if not found:
        return []
    row, fault = found[0]
    assert fault.entity is not None
    what, fix = _MENDED[how]
    said = f"{fault.said.start} to {fault.said.end}" if fault.said.start is not None else "no place"
    message = (
        f"{counted(len(found), 'entity', 'entities')}{within(split)} {what} (row {_number(check_input, split, row)}: "
        f"{_quoted(fault.said.text or '')} is given {said}, and stands at {fault.entity.start} to {fault.entity.end})"
    )
    severity: Severity = "info" if how == "first" else "warning"
    return [_finding(check_input, split, [row for row, _ in found], severity, message, fix)]


def _edges(check_input: CheckInput, split: str, found: Sequence[tuple[_Row, Fault]]) -> list[Finding]:
    if not found:
        return []
    row, fault = found[0]
    words = row.found.text[fault.said.start : fault.said.end]
    message = (
        f"{counted(len(found), 'entity', 'entities')}{within(split)} {_have(found)} white space "
        f"at the edge (row {_number(check_input, split, row)}: {words!r}), which is left out"
    )
    fix = "nothing, if that is what was meant"
    return [_finding(check_input, split, [row for row, _ in found], "info", message, fix)]


def _twice(check_input: CheckInput, split: str, found: Sequence[tuple[_Row, Fault]]) -> list[Finding]:
    if not found:
        return []
    be = "is" if len(found) == 1 else "are"
    message = f"{counted(len(found), 'entity', 'entities')}{within(split)} {be} written down twice, and counted once"
    return [_finding(check_input, split, [row for row, _ in found], "info", message, "remove one of the two")]


def _slips(check_input: CheckInput, split: str, several: Sequence[_Row], scheme: str) -> list[Finding]:
    broken = [(row, place, what) for row in several if row.found.tags for place, what in slips(row.found.tags, scheme)]
    if not broken:
        return []
    row, place, what = broken[0]
    tags, places = row.found.tags or (), row.found.tokens or ()
    word = row.found.text[slice(*places[place])]
    rows = [row for row, _, _ in broken]
    message = (
        f"{counted(len(broken), 'tag')}{within(split)}, in {counted(len({r.number for r in rows}), 'row')}, "
        f"{'breaks' if len(broken) == 1 else 'break'} the rules of {scheme} (row {_number(check_input, split, row)}, "
        f"token {place}: {tags[place]} at {_quoted(word)} {what}); read as usual, an entity begins where one goes on "
        "that has not begun, and ends where it goes no further"
    )
    fix = "correct the tags: B- at the first token of every entity, I- at the others"
    return [_finding(check_input, split, rows, _severity(check_input, split, rows), message, fix)]


def _cut_words(check_input: CheckInput, split: str, several: Sequence[_Row]) -> list[Finding]:
    """Ends inside words, most of which one more character would mend: without quoted words, nothing else tells."""
    total, cut, mended = 0, [], 0
    for row in several:
        for entity in row.found.entities or ():
            text, end = row.found.text, entity.end
            total += 1
            if inside_word(text, end):
                cut.append((row, entity))
                mended += not inside_word(text, end + 1)
    if len(cut) <= _CUT * total or mended <= _CUT * len(cut):
        return []
    row, entity = cut[0]
    words, more = row.found.text[entity.start : entity.end], row.found.text[entity.start : entity.end + 1]
    message = (
        f"{counted(len(cut), 'entity', 'entities')}{within(split)} ({percent(len(cut), total)}) {_be(cut)} cut one "
        f"character before the end of a word (row {_number(check_input, split, row)}: {_quoted(words)}, not "
        f"{_quoted(more)}): it seems that ends name the last character"
    )
    fix = "add one to every end: it is the character behind the last one, as Python counts"
    severity: Severity = "error" if split == check_input.training_split else "warning"
    return [_finding(check_input, split, [row for row, _ in cut], severity, message, fix)]


def _without(check_input: CheckInput, split: str, several: Sequence[_Row]) -> list[Finding]:
    without = [row for row in several if row.found.entities == ()]
    if not without:
        return []
    have = "has" if len(without) == 1 else "have"
    message = (
        f"{counted(len(without), 'row')}{within(split)} ({percent(len(without), len(several))}) {have} no entity; "
        "they teach what is none"
    )
    fix = "nothing, if somebody has looked at them; texts that nobody has labelled need an empty cell, not []"
    return [_finding(check_input, split, without, "info", message, fix)]


def _contradictions(check_input: CheckInput, several: Sequence[_Row]) -> list[Finding]:
    """The same words with different labels, in the rows that are learned from."""
    labels: defaultdict[str, Counter[Label]] = defaultdict(Counter)
    places: defaultdict[tuple[str, Label], list[_Row]] = defaultdict(list)
    for row in several:
        for entity in row.found.entities or ():
            words = row.found.text[entity.start : entity.end]
            labels[words][entity.label] += 1
            places[words, entity.label].append(row)
    told, rows = [], []
    for words, counts in sorted(labels.items(), key=lambda pair: -pair[1].total()):
        (most, many), *others = counts.most_common()
        few = sum(count for _, count in others)
        if few and (counts.total() < _FEWEST_MENTIONS or few <= _CLEARLY * counts.total()):
            # The odd one out among many is likely to be a slip; "Washington" is a person as often as a place.
            named = ", ".join(f"{written(label)} {count}" for label, count in others)
            told.append(f"{_quoted(words)}: {written(most)} {many}, {named}")
            rows += [row for label, _ in others for row in places[words, label]]
    if not told:
        return []
    be = "is" if len(told) == 1 else "are"
    message = (
        f"{counted(len(told), 'mention')} {be} labelled differently now and then, which may be slips: {listed(told)}"
    )
    fix = "look at these rows, and decide on one label where the words mean the same"
    return [_finding(check_input, check_input.training_split, rows, "warning", message, fix)]


def _number(check_input: CheckInput, split: str, row: _Row) -> int:
    return int(check_input.splits[split].row_ids[row.number])


def _be(found: Sequence[object]) -> str:
    return "is" if len(found) == 1 else "are"


def _have(found: Sequence[object]) -> str:
    return "has" if len(found) == 1 else "have"


def _quoted(text: str) -> str:
    return repr(shorten(text, _SHOWN_WIDTH))
