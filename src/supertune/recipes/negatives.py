"""Hard negatives: passages that look like what a query asks for, and are not, to be learned from as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.console import Console
from supertune.contracts import Features, Groups, IntArray, Task
from supertune.models import load_with_head
from supertune.passages import Bm25
from supertune.recipes.start import Start
from supertune.tasks import RetrievalTask, nearest
from supertune.train import predict_outputs

USUAL_NEGATIVES = 1
_LOOKED_AT = 100
"""Passages of each query that are looked at: what stands further down is no hard negative."""
_NEAR_THE_RIGHT_ONE = 0.95
"""Share of the right passage's cosine from which another is likely to be right as well, and is left out: Moreira et
al. 2024, "NV-Retriever", section 4, found 95 % to be the best of what they tried."""


def with_negatives(start: Start, task: Task, features: Features, console: Console) -> Features:
    """The training texts with a few hard negatives in each group, where the configuration asks for such.

    They are passages of the training rows: held-out ones are not looked at.

    Args:
        start: Says where they come from, and how many.
        task: What is to be learned.
        features: The training texts, in groups.
        console: Where to show progress.

    Raises:
        UserError: The model cannot be opened.
    """
    wanted = start.config.task.negatives
    if not isinstance(task, RetrievalTask) or wanted in (None, "none"):
        return features
    assert features.groups is not None
    count = start.config.task.negatives_per_row or USUAL_NEGATIVES
    texts, roles = task.texts_of(features), features.targets["role"]
    queries, passages = np.flatnonzero(roles == 0), np.flatnonzero(roles != 0)
    told = f"hard negatives ({wanted})"
    with console.progress(told, len(queries)) as bar:
        if wanted == "bm25":
            found = Bm25.build(texts[item] for item in passages).search([texts[item] for item in queries], _LOOKED_AT)
            numbers: IntArray = np.asarray(found.ids, np.int64)
            too_near: NDArray[np.bool_] = np.zeros(numbers.shape, bool)
        else:
            numbers, too_near = _by_the_model(start, task, features, queries, passages, bar)
        bar(len(queries))
    right = _right(features.groups)
    chosen = {
        int(query): [
            int(passages[number])
            for number, near in zip(row.tolist(), close.tolist(), strict=True)
            if number >= 0 and not near and int(passages[number]) not in right.get(int(query), ())
        ][:count]
        for query, row, close in zip(queries, numbers, too_near, strict=True)
    }
    lacking = sum(len(chosen[query]) < count for query in right)
    if lacking:
        console.warn(f"{told}: {lacking:,} of {len(right):,} queries have fewer than {count}")
    return _added(features, chosen, count)


def _by_the_model(
    start: Start, task: RetrievalTask, features: Features, queries: IntArray, passages: IntArray, bar: Any
) -> tuple[IntArray, NDArray[np.bool_]]:
    """What the model finds before it is trained, and what of that is as near as the right passage."""
    import torch

    model = load_with_head(start.source, task.head(), pad_token_id=start.tokenizer.pad_token_id)
    torch.nn.Module.to(model, start.device)
    vectors: NDArray[np.float32] = predict_outputs(
        model,
        features,
        task.answering,
        batch_size=start.config.evaluate.batch_size,
        padding={"input_ids": int(start.tokenizer.pad_token_id or 0)},
        progress=lambda done: bar(done * len(queries) // len(features)),
    )
    assert features.groups is not None
    found = nearest(vectors[passages], vectors[queries], _LOOKED_AT)
    nearest_right = np.full(len(features), -1.0)
    pairs = features.groups.items[features.groups.relevance > 0, :2]
    np.maximum.at(nearest_right, pairs[:, 0], np.einsum("ij,ij->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]]))
    near = np.empty(found.shape, bool)
    for place, (query, numbers) in enumerate(zip(queries, found, strict=True)):
        near[place] = vectors[passages[numbers]] @ vectors[query] > _NEAR_THE_RIGHT_ONE * nearest_right[query]
    return found, near


def _right(groups: Groups) -> dict[int, set[int]]:
    """Query → the passages that it asks for."""
    right: dict[int, set[int]] = {}
    for query, passage in groups.items[groups.relevance > 0, :2].tolist():
        right.setdefault(query, set()).add(passage)
    return right


def _added(features: Features, chosen: dict[int, list[int]], count: int) -> Features:
    """The features with these passages behind what each group holds already."""
    assert features.groups is not None
    more = np.full((len(features.groups), count), -1, np.int64)
    for place, query in enumerate(features.groups.items[:, 0].tolist()):
        found: Sequence[int] = chosen.get(query, ())
        more[place, : len(found)] = found
    items = np.concatenate([features.groups.items, more], axis=1)
    return replace(features, groups=Groups(items, features.groups.relevance))
