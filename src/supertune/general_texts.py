"""Texts on everyday things, and sentences with one right end: what a model knew before it was fine-tuned.

Written for this package, in English and Chinese, each text by itself and not by translation throughout. They are few:
enough to see that a model has forgotten how to write plain language, not to rank models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

GENERAL_LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Probe:
    """A sentence that one of several ends completes.

    Attributes:
        begin: The sentence without its end.
        ends: What could stand there, the right one first.
    """

    begin: str
    ends: tuple[str, ...]

    def texts(self, language: str) -> list[str]:
        """The sentence with each end, in the order of ``ends``."""
        space, stop = ("", "。") if language == "zh" else (" ", ".")
        return [f"{self.begin}{space}{end}{stop}" for end in self.ends]


def general_texts(language: str) -> Sequence[str]:
    """Short texts in a language of `GENERAL_LANGUAGES`."""
    return _lines(f"texts.{language}.txt")


def general_probes(language: str) -> Sequence[Probe]:
    """Sentences to complete in a language of `GENERAL_LANGUAGES`; all have four ends."""
    found = (line.split("\t") for line in _lines(f"probes.{language}.txt"))
    return [Probe(begin, tuple(ends)) for begin, *ends in found]


def _lines(name: str) -> list[str]:
    return (files("supertune") / "general" / name).read_text(encoding="utf-8").splitlines()
