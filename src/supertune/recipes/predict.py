"""What a trained model says about new rows, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from supertune.console import Console, harmless
from supertune.contracts import Prediction, Score
from supertune.data import OnBadRow, Table, read
from supertune.errors import UserError
from supertune.files import explained, write_jsonl
from supertune.language import shorten
from supertune.recipes.answering import Answerer, answerer_of
from supertune.recipes.evaluate_written import Generate
from supertune.recipes.saved import SavedModel, open_saved
from supertune.recipes.writing_choices import AS_TRAINED, WritingChoices, check_choices
from supertune.runs import RunStore, open_run, prediction_row, score_text


def open_trained(run: Path) -> tuple[RunStore, SavedModel]:
    """A finished run and its model.

    Raises:
        UserError: There is no such run, it has no model, or files of it are damaged.
    """
    store = open_run(run)
    return store, open_saved(store.require("model"))


def _opened_for(run: Path, choices: WritingChoices, clean: bool) -> Answerer:
    """Who answers with the model of a run, of which nothing is asked that it cannot do."""
    _, saved = open_trained(run)
    check_choices(saved.task, choices)
    return answerer_of(saved, clean=clean)


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


def predict_file(
    run: Path,
    file: object,
    *,
    choices: WritingChoices = AS_TRAINED,
    clean: bool = True,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    console: Console,
) -> Iterator[dict[str, object]]:
    """Predict every row of a file that has the model's text columns.

    Args:
        run: The run directory.
        file: Rows as `supertune.read` takes them.
        choices: How to write, where that is what the model does.
        clean: Whether texts are cleaned as those were that the model learned from; they are told as they were given.
        on_bad_row: What becomes of malformed rows.
        sheet: Of a spreadsheet.
        console: Where to show progress.

    Raises:
        UserError: The run or the file cannot be used, or the file lacks a text column.
    """
    answerer = _opened_for(run, choices, clean)
    table = _read_for(answerer, file, on_bad_row=on_bad_row, sheet=sheet)
    return answerer.answer(table, console, choices, on_bad_row=on_bad_row)


def _read_for(answerer: Answerer, file: object, *, on_bad_row: OnBadRow, sheet: str | None) -> Table:
    table = read(file, on_bad_row=on_bad_row, sheet=sheet)
    for name in answerer.saved.task.columns.text:
        if name not in (*table.column_names, *answerer.optional):
            raise UserError(
                f"has no column {name!r}, which this model was trained on",
                where=table.source,
                fix=f"rename one of its columns: {', '.join(map(repr, table.column_names))}",
            )
    return table


def predict_texts(
    run: Path, texts: Sequence[str | Sequence[str]], choices: WritingChoices = AS_TRAINED, *, clean: bool = True
) -> list[dict[str, object]]:
    """Predict texts given one by one, or pairs of them.

    Raises:
        UserError: The run cannot be used, or it compares two texts and these are single ones.
    """
    return _predicted(_opened_for(run, choices, clean), texts, choices)


def _predicted(
    answerer: Answerer, texts: Sequence[str | Sequence[str]], choices: WritingChoices
) -> list[dict[str, object]]:
    return list(answerer.answer(answerer.table(texts, "texts"), Console(quiet=True), choices))


def predict_typed(
    run: Path, texts: Sequence[str], choices: WritingChoices = AS_TRAINED, *, clean: bool = True
) -> list[dict[str, object]]:
    """Predict texts as they were typed: one after the other, or two and two where the model compares two.

    Raises:
        UserError: The run cannot be used, or a text is left without a partner.
    """
    answerer = _opened_for(run, choices, clean)
    return _predicted(answerer, answerer.together(texts, f"supertune predict {run}"), choices)


def predict_lines(
    run: Path, texts: Iterable[Sequence[str]], choices: WritingChoices = AS_TRAINED, *, clean: bool = True
) -> Iterator[dict[str, object]]:
    """Predict texts as they come.

    Args:
        run: The run directory.
        texts: Those that came together, as often as some come; nothing waits for others.
        choices: How to write, where that is what the model does.
        clean: See `predict_file`.

    Raises:
        UserError: The run cannot be used.
    """
    return _opened_for(run, choices, clean).answer_lines(texts, choices)


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
    clean: bool = True,
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
        clean: See `predict_file`.
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
    answerer = answerer_of(saved, clean=clean)
    table = _read_for(answerer, data, on_bad_row=on_bad_row, sheet=sheet)
    for label in saved.task.columns.labels:
        if label not in table.column_names:
            raise UserError(
                f"has no column {label!r} with the labels to compare with",
                where=table.source,
                fix="supertune predict needs no labels; or rename the label column",
            )
    found = answerer.evaluate(store, table, generate, console, on_bad_row=on_bad_row)
    show_scores(console, found.scores, saved.task.headline)
    if out is not None:
        _write_predictions(out, found.table, found.predictions(), console)
    metrics = {"test": {name: value.as_dict() for name, value in found.scores.items()}}
    return {"run": str(store.path), "status": store.status, "metrics": metrics, **found.more}


def _write_predictions(out: Path, table: Table, predictions: Sequence[Prediction], console: Console) -> None:
    rows = zip(table.rows(), table.row_ids, predictions, strict=True)
    write_jsonl(out, (prediction_row(row, int(number), prediction) for row, number, prediction in rows))
    console.say(f"{len(table):,} predictions written to {out}")


def show_scores(console: Console, scores: Mapping[str, Score], names: Sequence[str]) -> None:
    """The named scores with their intervals as a table."""
    console.table(
        ("metric", "value and 95 % interval", "rows"),
        [(name, score_text(scores[name]), f"{scores[name].n:,}") for name in names if name in scores],
        right=(2,),
    )
