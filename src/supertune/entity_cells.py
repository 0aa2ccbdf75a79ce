"""What stands in a cell of entities: spans in the forms of several tools, or a tag for every token."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supertune.contracts import Label
from supertune.entity_tags import looks_like_tag
from supertune.language import is_missing, shorten

_START = ("start", "start_offset", "begin", "start_char", "start_idx", "start_pos", "startOffset")
_END = ("end", "end_offset", "stop", "end_char", "end_idx", "end_pos", "endOffset")
_LABEL = ("label", "labels", "type", "entity", "tag", "entity_group", "entity_type", "category", "class", "tag_name")
_TEXT = ("text", "word", "surface", "mention", "value", "span")
_HELD = ("entities", "spans", "label", "labels", "annotations", "result")
"""Keys under which a list of spans is found in an object."""


@dataclass(frozen=True)
class Said:
    """An entity as it was written down.

    Attributes:
        start: The number of its first character; None where nobody says.
        end: The number behind that of its last character, if all is well.
        label: What it is.
        text: Its words; None where they are not quoted.
    """

    start: int | None
    end: int | None
    label: Label
    text: str | None = None


def shape_of(value: object) -> str | None:
    """Whether a cell looks like ``spans`` or ``tags``; None for neither, and for nothing."""
    if is_missing(value):
        return None
    value = _written_out(value)
    if isinstance(value, str):
        words = value.split()
        return "tags" if words and all(map(looks_like_tag, words)) else None
    if isinstance(value, list) and value:
        if all(isinstance(item, str | int) and not isinstance(item, bool) for item in value):
            return "tags"
        if not all(isinstance(item, dict | list) for item in value):
            return None
    try:
        return "spans" if isinstance(value, dict | list) and said_in(value) else None
    except ValueError:
        return None


def tags_in(value: object, names: Sequence[str] = ()) -> list[str] | None:
    """The tags that a cell holds; None where it holds something else, such as spans.

    Args:
        value: A list of words or numbers, such a list as text, or words with white space between them.
        names: What the numbers are called.

    Raises:
        ValueError: A number has no name; says so, and what to do.
    """
    value = _written_out(value)
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list) or any(isinstance(item, dict | list) for item in value):
        return None
    return [_tag(item, names) for item in value]


def _tag(item: object, names: Sequence[str]) -> str:
    if isinstance(item, str) and item.strip():
        return item
    if isinstance(item, int) and not isinstance(item, bool):
        if 0 <= item < len(names):
            return names[item]
        told = f", and there are {len(names)} names" if names else ", and nobody says what the numbers are called"
        raise ValueError(
            f"has the tag {item}{told}",
            'name them, in the order of their numbers: --set data.tag_names=\'["O", "B-PER", "I-PER"]\'',
        )
    raise ValueError(f"has {_shown(item)} among its tags, which is no tag", "write O for a token that is in no entity")


def said_in(value: object) -> list[Said]:
    """The spans that a cell holds, as they are written down.

    Raises:
        ValueError: It holds something else; says what, to stand behind the row's number.
    """
    value = _written_out(value)
    if isinstance(value, dict):
        return _of_object(value)
    if not isinstance(value, list):
        raise ValueError(f"has {_shown(value)}, which are no entities")
    return [_of_list(item) if isinstance(item, list) else _of_item(item) for item in value]


def _of_object(value: Mapping[str, object]) -> list[Said]:
    """Under a key that tools have for it, as parallel lists (the hub's way), or as CLUENER's label → words → places."""
    held = next((value[key] for key in _HELD if isinstance(value.get(key), list)), None)
    if held is not None and not any(key in value for key in _START):
        return said_in(held)
    if value and all(isinstance(column, list) for column in value.values()):
        columns = {key: column for key, column in value.items() if isinstance(column, list)}
        if len(set(map(len, columns.values()))) == 1:
            return [_of_item(dict(zip(columns, item, strict=True))) for item in zip(*columns.values(), strict=True)]
    found = []
    for label, words in value.items():
        if not isinstance(words, dict):
            raise ValueError(f"has {_shown(value)}, which are no entities")
        for text, places in words.items():
            for place in places if isinstance(places, list) else ():
                if not isinstance(place, list) or len(place) != 2:
                    raise ValueError(f"has {_shown(place)} as the place of {_shown(text)}, which is none")
                found.append(Said(_number(place[0]), _number(place[1]), label, text))
    return found


def _of_list(item: Sequence[object]) -> Said:
    """[start, end, label], or with the words behind."""
    if len(item) not in (3, 4):
        raise ValueError(f"has {_shown(item)} among its entities, which is not [start, end, label]")
    text = item[3] if len(item) == 4 and isinstance(item[3], str) else None
    return Said(_number(item[0]), _number(item[1]), _label(item[2]), text)


def _of_item(item: object) -> Said:
    if isinstance(item, dict) and isinstance(item.get("value"), dict):
        item = item["value"]
    if not isinstance(item, dict):
        raise ValueError(f"has {_shown(item)} among its entities, which is none")
    start, end = (next((item[key] for key in keys if key in item), None) for keys in (_START, _END))
    places = item.get("offsets")
    if isinstance(places, list) and len(places) == 1 and isinstance(places[0], list) and len(places[0]) == 2:
        start, end = places[0]
    label = next((item[key] for key in _LABEL if not is_missing(item.get(key))), None)
    text = next((item[key] for key in _TEXT if item.get(key)), None)
    if isinstance(text, list) and len(text) == 1:
        text = text[0]
    return Said(_number(start), _number(end), _label(label), text if isinstance(text, str) else None)


def _label(value: object) -> Label:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and not is_missing(value):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, list):
        raise ValueError(f"has an entity with {len(value)} labels ({_shown(value)}), where one is learned")
    raise ValueError("has an entity without a label")


def _number(value: object) -> int | None:
    if is_missing(value):
        return None
    if isinstance(value, float) and value.is_integer():
        # What a column of whole numbers becomes beside a missing one.
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"has an entity at {_shown(value)}, which is no character's number")
    return value


def _written_out(value: object) -> object:
    """A list or an object in text, as CSV files have it: JSON, or as Python prints it; other values as they are."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        try:
            return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"has {_shown(value)}, which begins as a list and is none") from error


def _shown(value: object) -> str:
    return shorten(repr(value), 40)
