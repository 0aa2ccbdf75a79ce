"""Which settings mean something for which task."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.config import Config
from supertune.errors import UserError
from supertune.tasks import TASKS

_MEANT_FOR: Mapping[str, tuple[str, ...]] = {
    "task.stride": ("answers",),
    "task.longest_answer": ("answers",),
    "task.n_best": ("answers",),
    "task.unit": ("texts",),
    "task.sentences": ("texts",),
    "task.characters": ("texts",),
    "task.blocking": ("texts",),
    "task.symmetric": ("classes", "numbers", "sets"),
    "data.separator": ("classes", "numbers", "sets"),
}
"""Setting → the kinds of answers that it means something for."""
OF_TOKENS = frozenset({"extractive-qa", "extractive-summary"})
"""Tasks that look at every token of a text."""


def check_task(config: Config) -> None:
    """Check the settings of the task before any work is done.

    Raises:
        UserError: A setting means nothing for it.
    """
    answers = TASKS[config.task.name].answers
    for key, kinds in sorted(_MEANT_FOR.items()):
        section, _, name = key.partition(".")
        if getattr(getattr(config, section), name) not in (None, False) and answers not in kinds:
            raise UserError(f"means nothing for {config.task.name}", where=key, fix="leave it out")
    texts = {
        "answers": (False, "a question and its text are always two texts"),
        "texts": (True, "a document is one text"),
    }
    refused, why = texts.get(answers, (None, ""))
    if why and config.data.pair is refused:
        raise UserError(why, where="data.pair", fix="leave it out")
