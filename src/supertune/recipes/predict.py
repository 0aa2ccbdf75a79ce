"""What a trained model says about new rows, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from supertune.console import Console
from supertune.contracts import Score
from supertune.data import OnBadRow, Table, TokenCache, read
from supertune.errors import UserError
from supertune.evaluate import measure, metrics_for
from supertune.files import explained, write_jsonl
from supertune.language import shorten
from supertune.recipes.candidates import own_candidates
from supertune.recipes.encode import encode_labelled
from supertune.recipes.saved import SavedModel, open_saved
from supertune.runs import RunStore, open_run, prediction_row, score_text
from supertune.tasks import RerankTask

_BATCH = 1024
"""Rows encoded and predicted at once: what is shown as progress, and what a pipe waits for."""


def open_trained(run: Path) -> tuple[RunStore, SavedModel]:
    """A finished run and its model.

    Raises:
        UserError: There is no such run, it has no model, or files of it are damaged.
    """
    store = open_run(run)
    return store, open_saved(store.require("model"))


def refuse_existing(out: Path | None) -> None:
    """Check, before any work is done, that predictions will overwrite nothing: it might be their own input.

    Raises:
        UserError: There is such a file already.
    """
    if out is None:
        return
    with explained(out):
        if out.exists():
            raise UserError("exists already", where=str(out), fix="name a new file with --out")


def predict_table(saved: SavedModel, table: Table, *, without: Sequence[str] = ()) -> Iterator[dict[str, object]]:
    """One line of predictions per row, in order, as ``predictions/*.jsonl`` has them."""
    for start in range(0, len(table), _BATCH):
        positions = np.arange(start, min(start + _BATCH, len(table)))
        piece = table.select(positions, step="batch")
        features = saved.task.encode(piece, saved.tokenizer, saved.max_length, labelled=False)
        predictions = saved.task.decode(saved.outputs(features), features)
        for row, number, prediction in zip(piece.rows(), piece.row_ids, predictions, strict=True):
            yield prediction_row(row, int(number), prediction, without=without)


def predict_file(
    run: Path, file: object, *, on_bad_row: OnBadRow = "refuse", sheet: str | None = None, console: Console
) -> Iterator[dict[str, object]]:
    """Predict every row of a file that has the model's text columns.

    Raises:
        UserError: The run or the file cannot be used, or the file lacks a text column.
    """
    _, saved = open_trained(run)
    table = _read_for(saved, file, on_bad_row=on_bad_row, sheet=sheet)
    return with_progress(predict_table(saved, table), len(table), console)


def with_progress(rows: Iterable[dict[str, object]], total: int, console: Console) -> Iterator[dict[str, object]]:
    """The rows as they come, shown as progress."""
    with console.progress("predicting", total) as bar:
        for done, row in enumerate(rows, 1):
            yield row
            bar(done)


def _read_for(saved: SavedModel, file: object, *, on_bad_row: OnBadRow, sheet: str | None) -> Table:
    table = read(file, on_bad_row=on_bad_row, sheet=sheet)
    for name in saved.task.columns.text:
        if name not in table.column_names:
            raise UserError(
                f"has no column {name!r}, which this model was trained on",
                where=table.source,
                fix=f"rename one of its columns: {', '.join(map(repr, table.column_names))}",
            )
    return table


def texts_table(saved: SavedModel, texts: Sequence[str | Sequence[str]], source: str) -> Table:
    """Plain texts as rows: the first text column holds them, further ones are empty; pairs fill both.

    Raises:
        UserError: The model compares two texts, and there are single ones; or the other way round.
    """
    columns, pair = saved.task.columns.text, saved.task.columns.pair
    wrong = [text for text in texts if isinstance(text, str) == pair or (pair and len(text) != 2)]
    if wrong:
        reads = "compares two texts" if pair else "reads one text at a time"
        fix = f"give both, or a file with the columns {' and '.join(columns)}" if pair else "give a list of texts"
        raise UserError(f"this model {reads}: not {shorten(repr(wrong[0]), 60)}", where=source, fix=fix)
    if pair:
        return Table.from_rows([dict(zip(columns, text, strict=True)) for text in texts], source=source)
    first, *others = columns
    return Table.from_rows([{first: text, **dict.fromkeys(others)} for text in texts], source=source)


def predict_texts(run: Path, texts: Sequence[str | Sequence[str]]) -> list[dict[str, object]]:
    """Predict texts given one by one, or pairs of them.

    Raises:
        UserError: The run cannot be used, or it compares two texts and these are single ones.
    """
    _, saved = open_trained(run)
    return list(predict_table(saved, texts_table(saved, texts, "texts")))


def predict_typed(run: Path, texts: Sequence[str]) -> list[dict[str, object]]:
    """Predict texts as they were typed: one after the other, or two and two where the model compares two.

    Raises:
        UserError: The run cannot be used, or a text is left without a partner.
    """
    _, saved = open_trained(run)
    given: Sequence[str | Sequence[str]] = texts
    if saved.task.columns.pair:
        if len(texts) % 2:
            raise UserError(
                f"this model compares two texts, and {len(texts)} were given",
                where="texts",
                fix=f'supertune predict {run} "first text" "second text"',
            )
        given = list(zip(texts[::2], texts[1::2], strict=True))
    return list(predict_table(saved, texts_table(saved, given, "texts")))


def predict_lines(run: Path, texts: Iterable[str]) -> Iterator[dict[str, object]]:
    """Predict texts as they come.

    Raises:
        UserError: The run cannot be used.
    """
    _, saved = open_trained(run)
    coming, total = iter(texts), 0
    while batch := list(islice(coming, _BATCH)):
        for row in predict_table(saved, texts_table(saved, batch, "standard input")):
            row["row"] = total
            total += 1
            yield row


def readable(row: dict[str, object]) -> str:
    """A prediction for people: label, how sure, and the beginning of the text."""
    scores = row.get("scores")
    # The scores of a rating are what it was before it was rounded.
    shares = isinstance(scores, dict) and len(scores) > 1 and not isinstance(row["prediction"], dict | list)
    sure = f"{max(scores.values()):.0%}" if isinstance(scores, dict) and shares else ""
    text = next((value for value in row.values() if isinstance(value, str)), "")
    return f"{_answer(row['prediction']):<24} {sure:>4}  {shorten(text, 60)}"


def _answer(prediction: object) -> str:
    if isinstance(prediction, list):
        return ", ".join(map(_answer, prediction)) or "(none)"
    if isinstance(prediction, dict) and {"text", "label"} <= prediction.keys():
        return f"{prediction['text']} ({prediction['label']})"
    if isinstance(prediction, dict):
        return ", ".join(f"{name} {_answer(value)}" for name, value in prediction.items())
    return f"{prediction:.4g}" if isinstance(prediction, float) else " ".join(str(prediction).split("\n"))


def evaluate_file(
    run: Path,
    data: object,
    *,
    out: Path | None,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    console: Console,
) -> dict[str, Any]:
    """Score the run's model on the labelled rows of ``data``; rows without a label are predicted, not scored.

    Returns:
        ``{"run", "status", "metrics": {"test": …}}`` as ``evaluate --json`` prints it.

    Raises:
        UserError: The run or the data cannot be used, there is no label column, or a label is not known.
    """
    refuse_existing(out)
    store, saved = open_trained(run)
    table = _read_for(saved, data, on_bad_row=on_bad_row, sheet=sheet)
    for label in saved.task.columns.labels:
        if label not in table.column_names:
            raise UserError(
                f"has no column {label!r} with the labels to compare with",
                where=table.source,
                fix="supertune predict needs no labels; or rename the label column",
            )
    if isinstance(saved.task, RerankTask):
        table = own_candidates(saved.task, table)
    with console.progress("tokenising", len(table)) as bar:
        cache = TokenCache(console.warn)
        features = encode_labelled(saved.task, table, saved.tokenizer, saved.max_length, cache=cache, progress=bar)
    with console.progress("predicting", len(table)) as bar:
        outputs = saved.outputs(features, progress=bar)
    outcome = saved.task.outcome(outputs, features)
    if not len(outcome):
        names = " and ".join(map(repr, saved.task.columns.labels))
        raise UserError(f"no row has a value in the label column {names}", where=table.source, fix="label some rows")
    scores = measure(outcome, metrics_for(saved.task.answers)).scores
    show_scores(console, scores, saved.task.headline)
    if out is not None:
        predictions = saved.task.decode(outputs, features)
        rows = zip(table.rows(), table.row_ids, predictions, strict=True)
        write_jsonl(out, (prediction_row(row, int(number), prediction) for row, number, prediction in rows))
        console.say(f"{len(table):,} predictions written to {out}")
    metrics = {"test": {name: value.as_dict() for name, value in scores.items()}}
    return {"run": str(run), "status": store.status, "metrics": metrics}


def show_scores(console: Console, scores: Mapping[str, Score], names: Sequence[str]) -> None:
    """The named scores with their intervals as a table."""
    console.table(
        ("metric", "value and 95 % interval", "rows"),
        [(name, score_text(scores[name]), f"{scores[name].n:,}") for name in names if name in scores],
        right=(2,),
    )
