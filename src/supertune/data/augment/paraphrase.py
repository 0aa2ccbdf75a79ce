"""The same text in other words, by a model that is asked for them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from supertune.contracts import TextPrompt, TextWriter
from supertune.data.augment.answers import NotWritten
from supertune.data.augment.asking import ask, judged, needs_instructed, seed_of
from supertune.data.augment.augmenter import BatchAugmenter
from supertune.data.augment.comparing import unlike
from supertune.data.augment.instructions import PARAPHRASE, SYSTEM, check_template, language_name
from supertune.language import language_of

_FIELDS = ("text", "label", "language", "about")


class Paraphrase(BatchAugmenter):
    """Says a text in other words."""

    name: ClassVar[str] = "paraphrase"

    about: str | None = Field(None, description="what the texts are, in a few words, such as: a customer's message")
    prompt: str | None = Field(
        None, description="what is asked instead, with the fields {text}, {label}, {language} and {about}"
    )

    def write(
        self,
        texts: Sequence[str],
        labels: Sequence[str | None],
        draws: Sequence[random.Random],
        writer: TextWriter,
        examples: Mapping[str, Sequence[str]],
    ) -> list[str | NotWritten | None]:
        """See `BatchAugmenter`."""
        needs_instructed(writer, self.name)
        check_template(self.prompt, _FIELDS)
        prompts = []
        for text, label, draw in zip(texts, labels, draws, strict=True):
            code = language_of(text)
            values = {"text": text, "label": label, "language": language_name(code, code), "about": self.about}
            asked = PARAPHRASE.filled(self.prompt, code, values)
            prompts.append(TextPrompt(asked, SYSTEM.plain(code), seed_of(draw)))
        return [*judged(ask(writer, prompts, texts), texts, unlike)]
