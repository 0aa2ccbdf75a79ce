"""From the names of steps to operators, and which steps suit rows of which kind."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from supertune.config.section import Section
from supertune.contracts import Columns
from supertune.errors import UserError

_READS_PLACES = frozenset({"answers", "spans"})


Built = TypeVar("Built", bound=Section)


def built(
    operators: Mapping[str, type[Built]], name: str, options: Mapping[str, Any], where: str, called: str = "step"
) -> Built:
    """The operator of a name with these options.

    Args:
        operators: Those that there are.
        name: As it was written.
        options: As they were written.
        where: File and line, or option of the command line, for messages.
        called: What an operator is called in messages.

    Raises:
        UserError: There is no such step or option, or a value does not fit.
    """
    if name not in operators:
        fix = f"{_meant(name, list(operators))}{called}s are: {', '.join(operators)}"
        raise UserError(f"there is no {called} {name!r}", where=where, fix=fix)
    kind = operators[name]
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]) if first["loc"] else ""
        fields = kind.model_fields
        if first["type"] == "extra_forbidden":
            known = ", ".join(fields) or "none"
            fix = f"{_meant(option, list(fields))}{name} has the options {known}"
            raise UserError(f"{name} has no option {option!r}", where=where, fix=fix) from error
        told = fields[option].description if option in fields else ""
        if first["type"] == "missing":
            what = f"{name} needs the option {option!r}"
        elif first["type"] == "value_error":
            what = f"{name}: {first['msg'].removeprefix('Value error, ')}"
        else:
            shown = json.dumps(first["input"], ensure_ascii=False, default=str)
            what = f"{name}.{option}: {shown} does not fit: {first['msg'][0].lower()}{first['msg'][1:]}"
        raise UserError(
            what, where=where, fix=f"{option}: {told}" if option else f"{name} has the options {', '.join(fields)}"
        ) from error


def _meant(name: str, known: list[str]) -> str:
    close: Callable[..., list[str]] = difflib.get_close_matches
    found = close(name, known, 1, 0.5)
    return f"did you mean {found[0]!r}? " if found else ""


def default_steps(columns: Columns, *, several_splits: bool) -> list[tuple[str, dict[str, Any]]]:
    """The steps, with their options, that do good to rows of this kind and no harm to any.

    Nothing that a reader would miss: texts are repaired and tidied, and only empty rows, repeated ones and those that
    are asked about afterwards go. What decides about meaning (width, script, emoji, length, language, personal data)
    is left to be asked for. What a model is to write keeps its indentation and its HTML, which may be what is asked
    for. Texts in which answers are pointed at stay as they are.
    """
    tidy: list[tuple[str, dict[str, Any]]] = []
    if columns.answers not in _READS_PLACES:
        written = columns.answers == "generated"
        tidy = [
            ("encoding", {}),
            *([] if written else [("html", {})]),
            ("control-characters", {}),
            ("unicode", {}),
            ("whitespace", {"spaces": "keep"} if written else {}),
        ]
        if columns.labels and columns.answers in ("classes", "sets"):
            tidy.append(("labels", {}))
    found: list[tuple[str, dict[str, Any]]] = [*tidy, ("missing", {}), ("exact-duplicates", {})]
    return [*found, ("leakage", {})] if several_splits else found
