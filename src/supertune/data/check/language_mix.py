"""Rows in another language than most, and splits whose languages differ.

What the script alone tells (Chinese, Japanese, Korean) costs next to nothing. Between other languages the recogniser
of `supertune.language` decides, at half a millisecond a text: it is asked of long texts alone, and of so many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, listed, percent, within
from supertune.data.table import Table
from supertune.language import (
    LANGUAGE_NAMES,
    break_near_middle,
    guess_language,
    language_of,
    language_of_script,
)

_DRAWN = 20_000
_RECOGNISED = 1_000
"""Texts of each split that are looked at, and those that the recogniser is asked about: half a second's work."""
_LONG = 60
"""Characters below which the recogniser is not believed: of 6,920 sentences about films (SST-2) it takes 10 of 40
characters and more for another language than English, and 2 of 60 and more; both halves agreeing, 2 and none."""
_FEW_LETTERS = 6
"""Letters below which a script says little: ``LOL`` among Chinese, a name in Han characters among English."""
_MEANT = 0.25
"""A table with as much in other languages as this is not mostly in one, and is meant to be so."""
_NOTABLE, _UNLIKELY = 0.1, 0.001
"""How far shares must lie apart, and how seldom chance may do that, over all languages and splits together."""
_ALIKE: tuple[frozenset[str], ...] = (
    frozenset({"da", "nb", "nn", "no"}),
    frozenset({"bs", "hr", "sr", "sl"}),
    frozenset({"id", "jv", "ms"}),
    frozenset({"gl", "pt"}),
    frozenset({"af", "nl"}),
    frozenset({"cs", "sk"}),
    frozenset({"be", "bg", "mk", "ru", "uk"}),
    frozenset({"hi", "mr", "ne"}),
    frozenset({"fa", "ur"}),
)
"""Languages that are taken for each other, so that one among the other is no finding."""


@dataclass(frozen=True)
class _Text:
    """A text that was looked at: where it is, what its script tells, and what the recogniser says if it was asked."""

    row: int
    text: str
    script: str | None
    language: str | None


def check_language(check_input: CheckInput) -> list[Finding]:
    """Find rows in another language than most of a table, and held-out rows in other languages than those learned from.

    A row is named where its whole text and both halves are in that language, so that names and quotes are not, and
    short texts are left alone. Conversations are not looked at: `answer-language` does, and translations are meant.
    """
    if check_input.columns.answers == "generated":
        return []
    looked = {split: list(_texts(table, check_input.columns.text)) for split, table in check_input.splits.items()}
    learned = looked[check_input.training_split]
    main = guess_language([text.text for text in learned]).language
    findings = [
        finding for split, texts in looked.items() if (finding := _others(check_input, split, texts, main)) is not None
    ]
    held_out = [split for split in looked if split != check_input.training_split]
    for split in held_out:
        if (differing := _differing(learned, looked[split], comparisons=len(held_out))) is not None:
            findings.append(
                Finding(
                    check="language",
                    severity="warning",
                    split=split,
                    message=f"{differing} of {check_input.training_split}: scores on {split} tell about other "
                    "languages than those learned from",
                    fix="put the files together and divide them with supertune split, or add rows to learn from in "
                    "the languages that will be asked",
                )
            )
    return findings


def _texts(table: Table, columns: tuple[str, ...]) -> Iterator[_Text]:
    """Texts with letters in random order, until enough of them were looked at; always the same ones."""
    drawn = np.random.default_rng(0).permutation(len(table))[:_DRAWN]
    ascending = np.sort(drawn)
    texts = dict(zip(ascending.tolist(), table.select(ascending, step="look at languages").texts(columns), strict=True))
    asked = 0
    for row in drawn.tolist():
        text = texts[row]
        if not any(map(str.isalpha, text)):
            continue
        script, language = language_of_script(text), None
        if script is None and len(text) >= _LONG:
            if asked == _RECOGNISED:
                return
            asked += 1
            language = language_of(text)
        yield _Text(row, text, script, language)


def _others(check_input: CheckInput, split: str, texts: Sequence[_Text], main: str) -> Finding | None:
    """The rows in another language than the main one, unless there are so many that they are meant."""
    alike = {main}.union(*(family for family in _ALIKE if main in family))
    found = sorted(
        ((text, language) for text in texts if (language := _clearly(text)) is not None and language not in alike),
        key=lambda pair: pair[0].row,
    )
    if not found or len(found) >= _MEANT * len(texts):
        return None
    table = check_input.splits[split]
    counts = Counter(language for _, language in found)
    first, language = found[0]
    be = "is" if len(found) == 1 else "are"
    kinds = listed([f"{_called(code)} {count:,}" for code, count in counts.most_common()])
    sampled = " of those looked at" if len(texts) < len(table) else ""
    return Finding(
        check="language",
        severity="info",
        split=split,
        rows=check_input.row_numbers(split, np.array([text.row for text, _ in found])),
        message=f"{counted(len(found), 'row')}{within(split)} ({percent(len(found), len(texts))}{sampled}) {be} not in "
        f"{_called(main)} as most are: {kinds} "
        f"(row {table.row_ids[first.row]}: {_called(language)})",
        fix=f"supertune clean DATA --step 'language: {{keep: [{main}]}}' --out cleaned leaves them out, unless these "
        "languages will be asked as well",
    )


def _clearly(text: _Text) -> str | None:
    """The language of the whole text and of both its halves, where that is one and the text long enough to tell."""
    if text.script is not None and sum(map(str.isalpha, text.text)) >= _FEW_LETTERS:
        told, found = language_of_script, text.script
    elif text.language is not None:
        told, found = language_of, text.language
    else:
        return None
    cut = break_near_middle(text.text)
    return found if found == told(text.text[:cut]) == told(text.text[cut:]) else None


def _differing(learned: Sequence[_Text], held_out: Sequence[_Text], *, comparisons: int) -> str | None:
    """Of the language whose share differs most, if chance would seldom do that: its shares, in words.

    Scripts are compared over all texts, and the languages that no script tells over those long enough for the
    recogniser: so languages do not differ because some need longer texts to be told than others.
    """
    from scipy.stats import fisher_exact

    tables = []
    for of_script in (True, False):
        ours, theirs = (_languages(texts, of_script=of_script) for texts in (learned, held_out))
        if ours and theirs:
            tables += [(code, ours[code], ours.total(), theirs[code], theirs.total()) for code in {*ours, *theirs}]
    apart = []
    for code, here, rows, there, held_out_rows in tables:
        gap = abs(there / held_out_rows - here / rows)
        counts = np.array([[here, rows - here], [there, held_out_rows - there]])
        # Fisher's test costs little, but not nothing: not for the many that lie close together.
        if code and gap >= _NOTABLE and fisher_exact(counts).pvalue * len(tables) * comparisons < _UNLIKELY:
            said = f"{percent(there, held_out_rows)} of the rows are in {_called(code)}, and {percent(here, rows)}"
            apart.append((gap, code, said))
    return max(apart)[2] if apart else None


def _languages(texts: Sequence[_Text], *, of_script: bool) -> Counter[str]:
    """How many texts are in which language; "" stands for scripts that tell none."""
    if of_script:
        return Counter(text.script or "" for text in texts)
    return Counter(text.language for text in texts if text.language is not None)


def _called(code: str) -> str:
    return LANGUAGE_NAMES[code][0] if code in LANGUAGE_NAMES else f"language {code!r}"
