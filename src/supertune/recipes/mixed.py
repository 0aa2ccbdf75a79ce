"""Further files that a model which writes learns from beside the training rows, so that it forgets less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from supertune.console import Console
from supertune.contracts import Columns, Face, Features, Generation, Task
from supertune.data import Ingredient, Table, infer_columns, mixed, read, well_formed
from supertune.errors import UserError
from supertune.recipes.row_counts import counts_of
from supertune.recipes.start import Start
from supertune.tasks import GenerationTask, joined


def with_mixed(start: Start, task: Task, learned: Features, console: Console) -> tuple[Features, dict[str, Any]]:
    """The training rows with those of ``data.mix`` behind them, each file in a format of its own.

    They are learned from only: held-out rows stay those of the data themselves.

    Args:
        start: Names the files and how often each of their rows is taken.
        task: What is learned.
        learned: The training rows, encoded.
        console: Where to tell what was found.

    Returns:
        The items of all; and for the manifest file → rows, items, times and fingerprint.

    Raises:
        UserError: A file cannot be read, holds no conversations, or cannot be learned as it is.
    """
    wanted = start.config.data.mix
    if not isinstance(task, GenerationTask) or not wanted:
        return learned, {}
    parts, facts = [learned], {}
    behind = int(learned.rows.max(initial=-1)) + 1
    for path, times in wanted.items():
        table = read(path, on_bad_row=start.config.data.on_bad_row)
        columns = _columns(table, task.name)
        table = well_formed(table, columns, start.config.data.on_bad_row)
        taken, columns = mixed([Ingredient(table, columns, times)], start.config.data.split_seed)
        found = task.about(columns).encode(taken, start.tokenizer, start.max_length, labelled=False)
        counts_of(found).refuse(path)
        console.say(f"  mixed in: {len(found):,} texts of {path} ({len(table):,} rows, {times:g} times)")
        parts.append(replace(found, rows=found.rows + behind))
        behind += len(taken)
        facts[path] = {"rows": len(table), "items": len(found), "times": times, "fingerprint": table.fingerprint}
    together = joined(replace(part, tokens=_same(part.tokens, learned.tokens)) for part in parts)
    return replace(together, notes=learned.notes, table=learned.table), facts


def _columns(table: Table, face: str) -> Columns:
    """Those of the task itself, else of any conversation, else plain text."""
    for other in (face, "chat"):
        try:
            return infer_columns(table, answers="generated", generation=Generation(cast(Face, other)))
        except UserError:
            continue
    return infer_columns(table, answers="generated", generation=Generation("text"), need_label=False)


def _same(tokens: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The token columns in the order and types of others."""
    return {name: np.asarray(tokens[name], values.dtype) for name, values in wanted.items()}
