"""Any value as JSON: what Arrow, numpy and the calendar hand over becomes what every reader understands."""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from supertune.contracts import Prediction

PREFIX = "supertune_"
ADDED = frozenset({"prediction", "scores", "row", "fold"})
"""What lines of predictions may hold beside the user's columns."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def json_value(value: object) -> object:
    """The value as plain JSON.

    NaN and infinities become null (JSON has no word for them), dates and times ISO 8601, bytes the UTF-8 text
    they hold or else base64, numpy scalars and arrays plain numbers and lists, anything else its ``str``.
    Half of a surrogate pair, which no UTF-8 file can hold, becomes U+FFFD.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return json_value(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_text(str(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return [json_value(item) for item in sorted(value, key=repr)]
    return _scalar_text(value)


def _scalar_text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        content = bytes(value)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(content).decode("ascii")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return _text(str(value))


def _text(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


def prediction_row(
    row: Mapping[str, object],
    row_number: int,
    prediction: Prediction,
    *,
    without: Collection[str] = (),
) -> dict[str, object]:
    """One line of ``predictions/*.jsonl``: the row's own columns, then what was added.

    Args:
        row: The user's columns of one row.
        row_number: 0-based number of the row in the file it came from; stored as ``row``.
        prediction: The answer; its label keeps the JSON type it had in the data.
        without: Columns to leave out (the texts, under ``--no-text``).

    Returns:
        The columns, ``prediction``, ``scores`` (classifiers only), what `Prediction.more` says and ``row``. An added
        name that the user's columns hold already gets the prefix ``supertune_``, again until it is free; whether a
        column is left out does not change the names.
    """
    line = {name: json_value(value) for name, value in row.items() if name not in without}
    added: dict[str, object] = {"prediction": prediction.prediction}
    if prediction.scores is not None:
        added["scores"] = prediction.scores
    added |= prediction.more
    added["row"] = row_number
    for name, value in added.items():
        line[free_name(name, row)] = json_value(value)
    return line


def added_value(name: str, line: Mapping[str, Any], *absent: object) -> Any:
    """What was added to a line of predictions under a name, or under the prefixed one where a column had the name.

    Args:
        name: ``prediction``, ``scores`` or ``row``.
        line: As `prediction_row` made it.
        absent: What is returned where nothing was added.

    Raises:
        KeyError: Nothing was added, and there is nothing to return then.
    """
    found = [known for known in line if known.endswith(name) and not known[: -len(name)].replace(PREFIX, "")]
    if not found and absent:
        return absent[0]
    if not found:
        raise KeyError(name)
    return line[max(found, key=len)]


def free_name(name: str, taken: Iterable[str]) -> str:
    """``name``, prefixed with ``supertune_`` until it clashes with none of ``taken``."""
    names = set(taken)
    while name in names:
        name = PREFIX + name
    return name
