"""New texts written for a label, shown texts that have it (Yoo et al. 2021, GPT3Mix; Meng et al. 2022, SuperGen)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from supertune.contracts import TextPrompt, TextWriter
from supertune.data.augment.answers import NotWritten
from supertune.data.augment.asking import ask, needs_instructed, seed_of
from supertune.data.augment.augmenter import BatchAugmenter
from supertune.data.augment.comparing import COPY, OTHER_LANGUAGE, is_copy, out_of_bounds, same_language
from supertune.data.augment.instructions import LABELLED, SYSTEM, check_template, language_name
from supertune.errors import UserError
from supertune.language import is_chinese, language_of, shorten

_FIELDS = ("label", "description", "others", "examples", "language", "about")
NO_LABEL = NotWritten("the row has no label")
_LONGEST = 2000
"""Columns of an example that are shown."""
_MANY = 30
"""Other labels that are named."""


class LabelConditioned(BatchAugmenter):
    """Writes a text that has the row's label, and has nothing else in common with the row."""

    name: ClassVar[str] = "label-conditioned"
    rewrites: ClassVar[bool] = False

    examples: int = Field(4, ge=1, le=50, description="texts of the label that are shown, the row's own among them")
    descriptions: dict[str, str] = Field({}, description="label → what it means")
    about: str | None = Field(None, description="what the texts are, in a few words, such as: customers' messages")
    prompt: str | None = Field(
        None,
        description="what is asked instead, with the fields {label}, {description}, {others}, {examples}, {language} "
        "and {about}",
    )

    def write(
        self,
        texts: Sequence[str],
        labels: Sequence[str | None],
        draws: Sequence[random.Random],
        writer: TextWriter,
        examples: Mapping[str, Sequence[str]],
    ) -> list[str | NotWritten | None]:
        """See `BatchAugmenter`.

        Raises:
            UserError: The rows have no classes, or more than one text each; a description is of no label.
        """
        needs_instructed(writer, self.name)
        self._check(texts, labels, examples)
        prompts, shown = list[TextPrompt | NotWritten](), list[list[str]]()
        for text, label, draw in zip(texts, labels, draws, strict=True):
            if label is None:
                prompts.append(NO_LABEL)
                shown.append([text])
                continue
            chosen = self._chosen(text, examples[label], draw)
            shown.append(chosen)
            prompts.append(self._prompt(text, label, chosen, sorted(examples), seed_of(draw)))
        found = list[str | NotWritten | None]()
        for answer, text, label, chosen in zip(ask(writer, prompts, texts), texts, labels, shown, strict=True):
            if isinstance(answer, NotWritten) or label is None:
                found.append(answer)
                continue
            found.append(self._refused(answer, text, chosen) or answer)
        return found

    def _check(self, texts: Sequence[str], labels: Sequence[str | None], examples: Mapping[str, Sequence[str]]) -> None:
        where = f"augmenter {self.name}"
        check_template(self.prompt, _FIELDS)
        if not examples:
            raise UserError("the rows have no classes to write texts for", where=where, fix="use paraphrase")
        if unknown := sorted(self.descriptions.keys() - examples.keys()):
            known = ", ".join(map(repr, sorted(examples)[:10]))
            raise UserError(f"describes {unknown[0]!r}, which is no label", where=where, fix=f"labels are {known}")
        for text, label in zip(texts, labels, strict=True):
            if label is not None and text not in examples[label]:
                what = "writes one text, and these rows have several that belong together"
                raise UserError(what, where=where, fix="use paraphrase, for one column or for each")

    def _chosen(self, text: str, all_of_label: Sequence[str], draw: random.Random) -> list[str]:
        """The row's own text and others of its label and script, drawn."""
        others = [one for one in all_of_label if one != text and is_chinese(one) == is_chinese(text)]
        chosen = [text, *draw.sample(others, min(self.examples - 1, len(others)))]
        draw.shuffle(chosen)
        return chosen

    def _prompt(self, text: str, label: str, chosen: Sequence[str], all_labels: Sequence[str], seed: int) -> TextPrompt:
        code = language_of(text)
        others = [other for other in all_labels if other != label]
        values = {
            "label": label,
            "description": self.descriptions.get(label),
            "others": ("、" if code == "zh" else ", ").join(others[:_MANY]),
            "examples": "\n".join(f"- {shorten(example, _LONGEST)}" for example in chosen),
            "language": language_name(code, code),
            "about": self.about,
        }
        return TextPrompt(LABELLED.filled(self.prompt, code, values), SYSTEM.plain(code), seed)

    def _refused(self, answer: str, text: str, chosen: Sequence[str]) -> NotWritten | None:
        if is_copy(answer, chosen):
            return COPY
        return out_of_bounds(answer, chosen) if same_language(answer, text) else OTHER_LANGUAGE
