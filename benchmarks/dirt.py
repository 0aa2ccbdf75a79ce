"""Faults planted in clean rows, each noted, so that what a preparation finds can be counted."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass
class Dirty:
    """Rows with faults.

    Attributes:
        rows: As they are given to the preparation; what was added stands at the end, then all are shuffled.
        right: For each row what it should become; None for one that should go.
        faults: Name of a fault → the rows that have it.
    """

    rows: list[Row]
    right: list[Row | None]
    faults: Mapping[str, set[int]] = field(default_factory=dict)


def dirtied(clean: Sequence[Row], test: Sequence[Row], labels: Sequence[str], chinese: bool, seed: int) -> Dirty:
    """Plant faults, by chance.

    5 % each of broken encoding, HTML, and width or script; 4 % each of exact and near copies added; 3 % of the test
    rows added to the training rows; 10 % of labels flipped; personal data in 2 %. Texts have one of the
    first kinds at most; flips fall on any row that was there from the beginning.
    """
    chance = random.Random(seed)
    rows = [dict(row) for row in clean]
    right: list[Row | None] = [dict(row) for row in clean]
    faults: dict[str, set[int]] = defaultdict(set)
    order = list(range(len(rows)))
    chance.shuffle(order)
    kinds: list[tuple[str, float, Callable[[str, random.Random], str | None]]] = [
        ("encoding", 0.05, _misread_chinese if chinese else _misread_english),
        ("html", 0.05, _marked_up),
        ("width", 0.05, _traditional if chinese else _full_width),
        ("pii", 0.02, _with_personal_data),
    ]
    places = iter(order)
    for name, share, spoil in kinds:
        while len(faults[name]) < share * len(clean):
            place = next(places)
            spoilt = spoil(rows[place]["text"], chance)
            if spoilt is not None and spoilt != rows[place]["text"]:
                rows[place]["text"] = spoilt
                faults[name].add(place)
    for place in chance.sample(range(len(clean)), round(0.1 * len(clean))):
        rows[place]["label"] = next(label for label in labels if label != rows[place]["label"])
        faults["flipped"].add(place)
    added: list[tuple[str, Row]] = []
    for place in chance.sample(range(len(clean)), round(0.04 * len(clean))):
        added.append(("exact copy", dict(rows[place])))
    long = [place for place in range(len(clean)) if len(clean[place]["text"]) >= (40 if chinese else 120)]
    for place in chance.sample(long, min(len(long), round(0.04 * len(clean)))):
        near = {**rows[place], "text": _reworded(rows[place]["text"], chance, chinese)}
        added.append(("near copy", near))
    for row in chance.sample(list(test), round(0.03 * len(test))):
        added.append(("leaked", dict(row)))
    for name, row in added:
        faults[name].add(len(rows))
        rows.append(row)
        right.append(None)
    shuffled = list(range(len(rows)))
    chance.shuffle(shuffled)
    new = {old: place for place, old in enumerate(shuffled)}
    return Dirty(
        [rows[old] for old in shuffled],
        [right[old] for old in shuffled],
        {name: {new[old] for old in places} for name, places in faults.items()},
    )


def _misread_english(text: str, chance: random.Random) -> str:
    """Typographic signs, read as Windows-1252."""
    signs = {" 's": "’s", " n't": "n’t", "--": "—", "...": "…"}
    for plain, typed in signs.items():
        text = text.replace(plain, typed)
    if text.isascii():
        text = f"“{text}”"
    import ftfy.bad_codecs  # noqa: F401 - knows Windows-1252 as programs read it: no byte is lost

    return text.encode().decode("sloppy-windows-1252")


def _misread_chinese(text: str, chance: random.Random) -> str | None:
    """UTF-8 read as Latin-1 or as GBK, or GB 2312 read as Latin-1; None where that loses characters."""
    read, written = chance.choice([("latin-1", "utf-8"), ("gbk", "utf-8"), ("latin-1", "gb2312")])
    try:
        return text.encode(written).decode(read)
    except UnicodeError:
        return None


def _marked_up(text: str, chance: random.Random) -> str:
    return chance.choice(
        [
            f"<p>{text}</p>",
            f'<div class="review"><span>{text}</span></div>',
            f"{text}<br/><!-- end -->",
            f"&nbsp;{text.replace('&', '&amp;')}&nbsp;&#10;",
        ]
    )


def _full_width(text: str, chance: random.Random) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if one.isascii() and one.isalnum() else one for one in text)


def _traditional(text: str, chance: random.Random) -> str:
    import opencc

    return str(opencc.OpenCC("s2t").convert(text))


def _with_personal_data(text: str, chance: random.Random) -> str:
    number = f"138{chance.randrange(10**8):08d}"
    return f"{text} {chance.choice([f'name{chance.randrange(1000)}@mail.com', number])}"


def _reworded(text: str, chance: random.Random, chinese: bool) -> str:
    """One word, or two characters, left out near the end."""
    if chinese:
        place = chance.randrange(len(text) - 4, len(text) - 1)
        return text[:place] + text[place + 1 :]
    words = text.split()
    del words[-2]
    return " ".join(words)
