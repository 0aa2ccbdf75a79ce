"""A text translated into another language and back (Sennrich et al. 2016; for classifiers Xie et al. 2020)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field, field_validator

from supertune.contracts import TextPrompt, TextWriter
from supertune.data.augment.answers import NotWritten
from supertune.data.augment.asking import ask, judged, seed_of
from supertune.data.augment.augmenter import BatchAugmenter
from supertune.data.augment.comparing import OTHER_LANGUAGE, in_language, unlike
from supertune.data.augment.instructions import SYSTEM, TRANSLATE, check_template, language_name
from supertune.language import LANGUAGE_NAMES, language_of

_FIELDS = ("text", "source", "target")


class BackTranslation(BatchAugmenter):
    """Translates a text and translates the translation back."""

    name: ClassVar[str] = "back-translation"
    steps: ClassVar[int] = 2

    pivot: str | None = Field(
        None, description="language in between, as ISO 639-1 calls it; none: en, of English texts fr"
    )
    prompt: str | None = Field(
        None, description="what is asked instead in both steps, with the fields {text}, {source} and {target}"
    )

    @field_validator("pivot")
    @classmethod
    def _known(cls, pivot: str | None) -> str | None:
        if pivot is not None and pivot not in LANGUAGE_NAMES:
            raise ValueError(f"{pivot!r} is none of the languages {', '.join(LANGUAGE_NAMES)}")
        return pivot

    def write(
        self,
        texts: Sequence[str],
        labels: Sequence[str | None],
        draws: Sequence[random.Random],
        writer: TextWriter,
        examples: Mapping[str, Sequence[str]],
    ) -> list[str | NotWritten | None]:
        """See `BatchAugmenter`."""
        check_template(self.prompt, _FIELDS)
        codes = [language_of(text) for text in texts]
        pivots = [self.pivot or ("fr" if code == "en" else "en") for code in codes]
        seeds = [(seed_of(draw), seed_of(draw)) for draw in draws]
        there = [
            OTHER_LANGUAGE if pivot == code else self._prompt(writer, text, code, pivot, seed, 0)
            for text, code, pivot, (seed, _) in zip(texts, codes, pivots, seeds, strict=True)
        ]
        between = [
            # What two models have in between is their own affair.
            OTHER_LANGUAGE
            if isinstance(one, str) and writer.instructed and not in_language(one, pivot, sure=True)
            else one
            for one, pivot in zip(ask(writer, there, texts), pivots, strict=True)
        ]
        back = [
            one if isinstance(one, NotWritten) else self._prompt(writer, one, pivot, code, seed, 1)
            for one, code, pivot, (_, seed) in zip(between, codes, pivots, seeds, strict=True)
        ]
        return [*judged(ask(writer, back, texts), texts, unlike)]

    def _prompt(self, writer: TextWriter, text: str, source: str, target: str, seed: int, step: int) -> TextPrompt:
        if not writer.instructed:
            return TextPrompt(text, seed=seed, step=step)
        # In the language that is not Chinese where one is: most models follow English best.
        told_in = "zh" if "zh" in (source, target) and "en" not in (source, target) else source
        values = {"text": text, "source": language_name(source, told_in), "target": language_name(target, told_in)}
        return TextPrompt(TRANSLATE.filled(self.prompt, told_in, values), SYSTEM.plain(told_in), seed, step)
