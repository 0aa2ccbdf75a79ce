"""Passages to be put in order: what words find for each query, where the rows name none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from supertune.config import TaskConfig
from supertune.console import Console
from supertune.contracts import Columns, Task
from supertune.data import Table, ranked_rows
from supertune.errors import UserError
from supertune.passages import Bm25
from supertune.recipes.rows import LoadedRows
from supertune.relevance import CANDIDATES, Ranked
from supertune.tasks import TASKS, USUAL_CANDIDATES, RerankTask

USUAL_NEGATIVES = 3


def with_candidates(task: TaskConfig, rows: LoadedRows, console: Console) -> LoadedRows:
    """The same rows with passages beside each query, where the task is to put passages in order and none are named.

    Training rows get passages of training rows that their query does not ask for; the first row of every held-out query
    gets what words find among the passages of all splits, whether or not what it asks for is among them.

    Args:
        task: Says how many.
        rows: The splits.
        console: Where to show progress.

    Raises:
        UserError: They are to come from somewhere else, or from nowhere.
    """
    if TASKS[task.name].answers != "reranking" or names_others(rows.columns, rows.splits["train"]):
        return rows
    if task.negatives == "model":
        raise UserError(
            "a model that reads two texts together finds nothing by itself",
            where="task.negatives",
            fix="leave it out: words find them",
        )
    if task.negatives == "none":
        raise UserError(
            "the rows name no passages that are not asked for, and nothing else is to be looked for",
            where="task.negatives",
            fix="leave it out, or add rows with the relevance 0",
        )
    splits = {"train": rows.splits["train"], **rows.whole}
    with console.progress("looking for passages by words", sum(map(len, splits.values()))) as bar:
        every = [ranked for table in splits.values() for ranked in ranked_rows(table, rows.columns)]
        learned = list(ranked_rows(splits["train"], rows.columns))
        columns = replace(rows.columns, negatives=(*rows.columns.negatives, CANDIDATES))
        tables = {"train": _beside(splits["train"], learned, learned, task.negatives_per_row or USUAL_NEGATIVES, False)}
        done = len(learned)
        bar(done)
        for split, table in rows.whole.items():
            asked = list(ranked_rows(table, rows.columns))
            tables[split] = _beside(table, asked, every, task.candidates or USUAL_CANDIDATES, True)
            done += len(table)
            bar(done)
    held_out = {split: tables[split] for split in rows.whole}
    # Splits hold the labelled rows of whole tables, and only those of training are read from here on.
    return replace(rows, columns=columns, splits={**rows.splits, "train": tables["train"]}, whole=held_out)


def own_candidates(task: Task, table: Table) -> Table:
    """The rows of a file with what words find among its own passages, for a model that was trained in that way."""
    if not isinstance(task, RerankTask) or CANDIDATES not in task.columns.negatives:
        return table
    if names_others(task.columns, table):
        return table
    asked = list(ranked_rows(table, task.columns))
    return _beside(table, asked, asked, task.candidates, True)


def names_others(columns: Columns, table: Table) -> bool:
    """Whether some row names a passage that its query does not ask for."""
    return any(ranked.relevance == 0 or ranked.negatives for ranked in ranked_rows(table, columns))


def _beside(table: Table, asked: list[Ranked], among: list[Ranked], count: int, held_out: bool) -> Table:
    """The table with passages beside each row's query, in the order in which they were found.

    Args:
        table: The rows.
        asked: What they say.
        among: Rows whose passages can be found.
        count: Passages for each.
        held_out: For the first row of each query, what is asked for among them; else for every row, and without it.
    """
    passages = list(dict.fromkeys(ranked.passage for ranked in among))
    wanted: dict[str, set[str]] = {}
    for ranked in asked:
        if (ranked.relevance or 0) > 0:
            wanted.setdefault(ranked.query, set()).add(ranked.passage)
    queries = list(dict.fromkeys(ranked.query for ranked in asked))
    most = count if held_out else count + max(map(len, wanted.values()), default=0)
    found = Bm25.build(passages).search(queries, most)
    numbers: Mapping[str, list[int]] = dict(zip(queries, np.asarray(found.ids, np.int64).tolist(), strict=True))
    seen: set[str] = set()
    cells = []
    for ranked in asked:
        names = [passages[number] for number in numbers[ranked.query] if number >= 0]
        if held_out:
            cells.append(names if ranked.query not in seen else [])
            seen.add(ranked.query)
        else:
            right = wanted.get(ranked.query, set())
            cells.append([name for name in names if name not in right][:count])
    return table.with_column(CANDIDATES, cells, step="candidates")
