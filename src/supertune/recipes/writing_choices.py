"""What a user may ask of a model that writes: how long, how freely, and on whose behalf."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypedDict

from supertune.contracts import Task
from supertune.errors import UserError
from supertune.generate import GenerationSettings
from supertune.tasks import GenerationTask


class WritingOptions(TypedDict, total=False):
    """`WritingChoices` as keywords."""

    max_new_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    repetition_penalty: float | None
    beams: int | None
    seed: int | None
    system: str | None


@dataclass(frozen=True)
class WritingChoices:
    """How texts are to be written; what is None is as it was when the model was measured.

    Attributes:
        max_new_tokens: Most tokens of a text; by default as the training answers were long.
        temperature: 0, the default, for the likeliest token at every step; above, tokens are drawn.
        top_p: Draw from the likeliest tokens that have this probability together.
        top_k: Draw from so many of the likeliest tokens.
        repetition_penalty: By which scores of tokens are divided that are there already.
        beams: Texts that are followed side by side.
        seed: Of what is drawn.
        system: System message of conversations that have none of their own; "" for none, where training had one.
    """

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    beams: int | None = None
    seed: int | None = None
    system: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """Names of those that were chosen."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) is not None)

    def settings(self, usual: GenerationSettings) -> GenerationSettings:
        """The usual settings with what was chosen.

        Raises:
            UserError: A choice means nothing, alone or beside another.
        """
        return replace(usual, **{name: getattr(self, name) for name in self.given if name != "system"})

    def applied(self, task: GenerationTask) -> GenerationTask:
        """The task with the system message that was chosen.

        Raises:
            UserError: Nobody is asked: it goes on with texts.
        """
        if self.system is None:
            return task
        layout = task.columns.layout
        assert layout is not None
        if layout.format == "text":
            raise UserError(
                "this model goes on with texts, and nobody is told anything", where="system", fix="leave it out"
            )
        return task.about(replace(task.columns, layout=replace(layout, system=self.system.strip() or None)))


AS_TRAINED = WritingChoices()
"""As the model was measured."""


def check_choices(task: Task, choices: WritingChoices) -> None:
    """Check that there is something to be written, where it was chosen how.

    Raises:
        UserError: The model writes nothing.
    """
    if choices.given and not isinstance(task, GenerationTask):
        raise UserError(
            f"this model was trained for {task.name} and writes nothing", where=choices.given[0], fix="leave it out"
        )
