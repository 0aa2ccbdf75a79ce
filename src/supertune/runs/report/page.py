"""What pages share: their template engine, which escapes every value, and files that lie beside the code."""

from __future__ import annotations

import functools
import importlib.resources
import re

import jinja2
from markupsafe import Markup

from supertune.runs.report.phrases import in_language
from supertune.runs.report.text import cut
from supertune.runs.report.words import WORDS, Language
from supertune.runs.score_text import interval_text, score_text, value_text

LONGEST_TEXT = 2000
"""Characters of one text that are shown; what is cut is counted."""

_LONGEST_CELL = 160
_LONGEST_NOTE = 1000
"""Of what is said about a quoted text: a model's answer is there to be read."""

# A number and its per cent sign stay on one line.
_BEFORE_PERCENT = re.compile(r"(?<=\d) %")


def resource(name: str) -> str:
    """A file of this package."""
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@functools.cache
def page_environment(language: Language) -> jinja2.Environment:
    """Escapes every value, and before that cuts it and takes out what no page can hold."""
    words = WORDS[language]

    def shown(value: object, limit: int = LONGEST_TEXT) -> object:
        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        return cut(value, limit, words.more_characters)

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(resource),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        value=value_text,
        interval=interval_text,
        score=score_text,
        count=lambda number: f"{number:,}",
        prose=lambda text: _BEFORE_PERCENT.sub("\u00a0%", text),
        phrase=lambda sentence: in_language(sentence, language),
        cell=lambda value: shown(value, _LONGEST_CELL),
        note=lambda value: shown(value, _LONGEST_NOTE),
    )
    return environment
