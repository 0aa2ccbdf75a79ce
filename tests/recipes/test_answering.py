"""Who answers with which models: everything that knows which tasks write knows the same ones."""

from __future__ import annotations

from typing import get_args

from supertune.config import WRITING
from supertune.contracts import Face
from supertune.recipes.answering import ANSWERERS
from supertune.recipes.answering.writer import Writer
from supertune.recipes.kinds import KINDS
from supertune.tasks import TASKS


def test_the_tasks_that_write_are_the_same_for_configuration_rows_and_answers() -> None:
    writing = {name for name, task in TASKS.items() if ANSWERERS.get(task.answers) is Writer}
    assert writing == WRITING == set(get_args(Face))


def test_who_answers_is_named_by_kinds_of_answers() -> None:
    assert set(ANSWERERS) <= set(KINDS)
