"""Cleaning: what makes rows fit to learn from, step by step, each with what it changed and left out.

An operator is one class in a file of its own (`supertune.data.clean.operator`), with its line in `OPERATORS`.
"""

from __future__ import annotations

from supertune.data.clean.answers import Answers
from supertune.data.clean.control_characters import ControlCharacters
from supertune.data.clean.damaged import Damaged
from supertune.data.clean.diverse import Diverse
from supertune.data.clean.emoji import Emoji
from supertune.data.clean.encoding import Encoding
from supertune.data.clean.exact_duplicates import ExactDuplicates
from supertune.data.clean.fill import Fill
from supertune.data.clean.html import Html
from supertune.data.clean.label_errors import ProbablyMislabelled
from supertune.data.clean.labels import Labels
from supertune.data.clean.language_filter import LanguageFilter
from supertune.data.clean.leakage import Leakage
from supertune.data.clean.length import Length
from supertune.data.clean.missing import Missing
from supertune.data.clean.near_duplicates import NearDuplicates
from supertune.data.clean.operator import Operator
from supertune.data.clean.personal_data import PersonalData
from supertune.data.clean.pipeline import Judge, clean
from supertune.data.clean.repeats import Repeats
from supertune.data.clean.results import Change, Cleaned, StepDone
from supertune.data.clean.review import Review
from supertune.data.clean.script import Script
from supertune.data.clean.steps import built, default_steps
from supertune.data.clean.symbols import Symbols
from supertune.data.clean.text_cleaning import TextCleaning
from supertune.data.clean.unicode_form import UnicodeForm
from supertune.data.clean.urls import Urls
from supertune.data.clean.whitespace import Whitespace
from supertune.data.clean.width import Width
from supertune.data.clean.words import Words

__all__ = [
    "OPERATORS",
    "Change",
    "Cleaned",
    "Judge",
    "Operator",
    "StepDone",
    "TextCleaning",
    "built",
    "clean",
    "default_steps",
]

OPERATORS: dict[str, type[Operator]] = {
    operator.name: operator
    for operator in (
        Review,
        Encoding,
        Html,
        ControlCharacters,
        UnicodeForm,
        Whitespace,
        Width,
        Script,
        Emoji,
        Urls,
        Repeats,
        Fill,
        Words,
        Labels,
        Missing,
        Damaged,
        Length,
        Symbols,
        LanguageFilter,
        PersonalData,
        ExactDuplicates,
        NearDuplicates,
        Leakage,
        Answers,
        Diverse,
        ProbablyMislabelled,
    )
}
