"""What a trained model says about new rows, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from supertune.config import load_config
from supertune.console import Console, harmless
from supertune.contracts import Prediction, Score
from supertune.data import OnBadRow, Table, TokenCache, read
from supertune.errors import UserError
from supertune.evaluate import measure, metrics_for
from supertune.files import explained, write_jsonl
from supertune.language import shorten
from supertune.recipes.candidates import own_candidates
from supertune.recipes.encode import encode_labelled
from supertune.recipes.evaluate_written import Generate, evaluate_written
from supertune.recipes.predict_written import write_lines, write_table
from supertune.recipes.saved import SavedModel, open_saved
from supertune.recipes.typed import grouped, optional_columns, typed_table
from supertune.recipes.writing_choices import WritingChoices, check_choices
from supertune.runs import RunStore, open_run, prediction_row, score_text
from supertune.tasks import GenerationTask, RerankTask

_BATCH = 1024
"""Rows encoded and predicted at once: what is shown as progress."""
_AS_TRAINED = WritingChoices()


def open_trained(run: Path) -> tuple[RunStore, SavedModel]:
    """A finished run and its model.

    Raises:
        UserError: There is no such run, it has no model, or files of it are damaged.
    """
    store = open_run(run)
    return store, open_saved(store.require("model"))


def _opened_for(run: Path, choices: WritingChoices) -> SavedModel:
    """The model of a run, of which nothing is asked that it cannot do."""
    _, saved = open_trained(run)
    check_choices(saved.task, choices)
    return saved


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
    run: Path,
    file: object,
    *,
    choices: WritingChoices = _AS_TRAINED,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    console: Console,
) -> Iterator[dict[str, object]]:
    """Predict every row of a file that has the model's text columns.

    Raises:
        UserError: The run or the file cannot be used, or the file lacks a text column.
    """
    saved = _opened_for(run, choices)
    table = _read_for(saved, file, on_bad_row=on_bad_row, sheet=sheet)
    if isinstance(saved.task, GenerationTask):
        return write_table(saved, table, choices, console, on_bad_row=on_bad_row)
    return with_progress(predict_table(saved, table), len(table), console)


def with_progress(rows: Iterable[dict[str, object]], total: int, console: Console) -> Iterator[dict[str, object]]:
    """The rows as they come, shown as progress."""
    with console.progress("predicting", total) as bar:
        for done, row in enumerate(rows, 1):
            yield row
            bar(done)


def _read_for(saved: SavedModel, file: object, *, on_bad_row: OnBadRow, sheet: str | None) -> Table:
    table = read(file, on_bad_row=on_bad_row, sheet=sheet)
    optional = optional_columns(saved.task) if isinstance(saved.task, GenerationTask) else ()
    for name in saved.task.columns.text:
        if name not in (*table.column_names, *optional):
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


def predict_texts(
    run: Path, texts: Sequence[str | Sequence[str]], choices: WritingChoices = _AS_TRAINED
) -> list[dict[str, object]]:
    """Predict texts given one by one, or pairs of them.

    Raises:
        UserError: The run cannot be used, or it compares two texts and these are single ones.
    """
    return _predicted(_opened_for(run, choices), texts, choices)


def _predicted(
    saved: SavedModel, texts: Sequence[str | Sequence[str]], choices: WritingChoices
) -> list[dict[str, object]]:
    if isinstance(saved.task, GenerationTask):
        table = typed_table(saved.task, texts, "texts")
        return list(write_table(saved, table, choices, Console(quiet=True)))
    return list(predict_table(saved, texts_table(saved, texts, "texts")))


def predict_typed(run: Path, texts: Sequence[str], choices: WritingChoices = _AS_TRAINED) -> list[dict[str, object]]:
    """Predict texts as they were typed: one after the other, or two and two where the model compares two.

    Raises:
        UserError: The run cannot be used, or a text is left without a partner.
    """
    saved = _opened_for(run, choices)
    given: Sequence[str | Sequence[str]] = texts
    if isinstance(saved.task, GenerationTask):
        given = grouped(saved.task, texts, f"supertune predict {run}")
    elif saved.task.columns.pair:
        if len(texts) % 2:
            raise UserError(
                f"this model compares two texts, and {len(texts)} were given",
                where="texts",
                fix=f'supertune predict {run} "first text" "second text"',
            )
        given = list(zip(texts[::2], texts[1::2], strict=True))
    return _predicted(saved, given, choices)


def predict_lines(
    run: Path, texts: Iterable[Sequence[str]], choices: WritingChoices = _AS_TRAINED
) -> Iterator[dict[str, object]]:
    """Predict texts as they come.

    Args:
        run: The run directory.
        texts: Those that came together, as often as some come; nothing waits for others.
        choices: How to write, where that is what the model does.

    Raises:
        UserError: The run cannot be used.
    """
    saved = _opened_for(run, choices)
    if isinstance(saved.task, GenerationTask):
        return write_lines(saved, texts, choices)
    return _lines(saved, texts)


def _lines(saved: SavedModel, texts: Iterable[Sequence[str]]) -> Iterator[dict[str, object]]:
    total = 0
    for piece in texts:
        for row in predict_table(saved, texts_table(saved, piece, "standard input")):
            row["row"] = total
            total += 1
            yield row


def readable(row: dict[str, object]) -> str:
    """A prediction for people: label, how sure, and the beginning of the text; of what was written all of it."""
    if isinstance(row["prediction"], str) and "ended" in row:
        return harmless(row["prediction"])
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
    generate: Generate = None,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    console: Console,
) -> dict[str, Any]:
    """Score the run's model on the labelled rows of ``data``; rows without a label are predicted, not scored.

    Args:
        run: The run directory.
        data: Rows as `supertune.read` takes them.
        out: JSONL file for the predictions.
        generate: Of models that write: rows to write answers to.
        on_bad_row: What becomes of malformed rows.
        sheet: Of a spreadsheet.
        console: Where to show progress and scores.

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
    if isinstance(saved.task, GenerationTask):
        return _evaluated_writing(store, saved, table, generate, on_bad_row, out, console)
    if generate is not None:
        raise UserError(
            f"this model was trained for {saved.task.name} and writes nothing", where="generate", fix="leave it out"
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
        _write_predictions(out, table, saved.task.decode(outputs, features), console)
    return _summary(store, scores)


def _evaluated_writing(
    store: RunStore,
    saved: SavedModel,
    table: Table,
    generate: Generate,
    on_bad_row: OnBadRow,
    out: Path | None,
    console: Console,
) -> dict[str, Any]:
    config = load_config(store.path / "config.yaml")
    found = evaluate_written(saved, table, config, generate, console, on_bad_row=on_bad_row)
    show_scores(console, found.scores, saved.task.headline)
    if out is not None:
        _write_predictions(out, found.table, found.predictions, console)
    return {**_summary(store, found.scores), "answered": found.answered, "written": found.written}


def _write_predictions(out: Path, table: Table, predictions: Sequence[Prediction], console: Console) -> None:
    rows = zip(table.rows(), table.row_ids, predictions, strict=True)
    write_jsonl(out, (prediction_row(row, int(number), prediction) for row, number, prediction in rows))
    console.say(f"{len(table):,} predictions written to {out}")


def _summary(store: RunStore, scores: Mapping[str, Score]) -> dict[str, Any]:
    metrics = {"test": {name: value.as_dict() for name, value in scores.items()}}
    return {"run": str(store.path), "status": store.status, "metrics": metrics}


def show_scores(console: Console, scores: Mapping[str, Score], names: Sequence[str]) -> None:
    """The named scores with their intervals as a table."""
    console.table(
        ("metric", "value and 95 % interval", "rows"),
        [(name, score_text(scores[name]), f"{scores[name].n:,}") for name in names if name in scores],
        right=(2,),
    )
