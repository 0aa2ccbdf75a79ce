"""Texts that say what the labels mean, learned from like rows of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supertune.contracts import Features, LearnsBySimilarity, Task, label_names
from supertune.data import Table
from supertune.recipes.start import Start
from supertune.tasks import joined

_FEWEST = 1_000
"""Label texts are learned from while they are one of so many rows at least: among more they say nothing new."""


def with_label_rows(start: Start, strategy: LearnsBySimilarity, task: Task, features: Features) -> Features:
    """The training rows, and a row for every text that says what a label means.

    Args:
        start: Tokenizer and tokens per text.
        strategy: Knows what the labels mean.
        task: Its state is fitted.
        features: The training rows, encoded.
    """
    told = strategy.label_texts(label_names(task))
    texts = [text for each in told for text in each]
    # What a label is called is one text, and no pair.
    if len(texts) * _FEWEST < len(features) or task.columns.pair:
        return features
    first, *others = task.columns.text
    table = Table.from_rows([{first: text, **dict.fromkeys(others)} for text in texts], source="labels")
    encoded = task.encode(table, start.tokenizer, start.max_length, labelled=False)
    labels = np.repeat(np.arange(len(told)), [len(each) for each in told])
    # They come after the last row of the table.
    numbered = replace(encoded, rows=features.rows.max(initial=-1) + 1 + encoded.rows)
    both = joined([replace(features, targets={}), numbered])
    learned = features.targets["labels"]
    return replace(both, targets={"labels": np.concatenate([learned, labels.astype(learned.dtype)])})
