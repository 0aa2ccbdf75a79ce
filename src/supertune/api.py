"""The verbs of the command line as Python functions; offered by ``import supertune``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from supertune.api_config import configured, named
from supertune.console import Console
from supertune.data import OnBadRow, Table
from supertune.recipes.check import GateReport
from supertune.recipes.comparison import Comparison
from supertune.recipes.crossval import CrossValidation
from supertune.recipes.inspect import Inspection
from supertune.recipes.run import Run, load_run

__all__ = [
    "check",
    "compare",
    "crossval",
    "fit",
    "inspect",
    "load_run",
    "read",
    "resume",
    "zero_shot",
]


def read(
    source: object,
    *,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    query: str | None = None,
    table: str | None = None,
) -> Table:
    """Rows from a file, folder, database, hub data set, DataFrame, Arrow table, list of dicts or dict of lists.

    Args:
        source: What to read.
        on_bad_row: ``refuse`` raises and names malformed rows; ``skip`` leaves them out and counts them.
        sheet: Sheet of a spreadsheet; None for the first.
        query: What a database (``sqlite:///rows.db``) is asked for.
        table: The table of a database, instead of a query; None for the only one.

    Raises:
        UserError: It cannot be read; says why, where, and what to do.
    """
    from supertune.data import read as read_source

    return read_source(source, on_bad_row=on_bad_row, sheet=sheet, query=query, table=table)


def fit(
    data: object,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    pair: bool | None = None,
    task: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    model: str | None = None,
    strategy: str | None = None,
    out: str | Path | None = None,
    seed: int | None = None,
    allow: Sequence[str] = (),
    settings: Mapping[str, object] | None = None,
    quiet: bool = True,
) -> Run:
    """Fine-tune a model on labelled rows and say how good it is; ``supertune train``.

    Args:
        data: Rows as `read` takes them, or the path of a YAML configuration.
        text: Text column or columns; None: inferred.
        label: Label column, or for regression columns of numbers; None: inferred.
        pair: Whether two text columns are two texts to be compared; None: by their names.
        task: What is to be learned: ``classification``, ``multilabel``, ``regression``, ``extractive-qa`` or
            ``extractive-summary``, ``tagging``, ``retrieval``, ``rerank``, ``chat``, ``summarization``,
            ``translation``, ``generative-qa``, ``text``; None: classification.
        validation: File with the validation rows; None: cut from ``data``.
        test: File with the test rows; None: cut from ``data``.
        model: Registered name, folder or hub id; None: by language.
        strategy: Which parameters learn; None: the default.
        out: The run directory; None: ``runs/<task>-<date>-<time>``.
        seed: Seed of split and training; None: 0 for both.
        allow: Checks whose errors do not stop training.
        settings: Any configuration key, e.g. ``{"train.epochs": 5}``.
        quiet: False shows on standard error what the command line shows.

    Returns:
        The finished run.

    Raises:
        UserError: Something in data, configuration or surroundings is wrong.
        GateError: The data has errors that ``allow`` does not name.
    """
    from supertune.recipes.fit import fit as run_fit

    config, rows = configured(data, text, label, model)
    values: dict[str, object] = {
        "data.pair": pair,
        "task.name": task,
        "data.validation": validation,
        "data.test": test,
        "strategy.name": strategy,
        "data.split_seed": seed,
        "train.seed": seed,
    }
    given = {key: value for key, value in values.items() if value is not None}
    config = config.with_values(given | ({"data.allow": list(allow)} if allow else {}) | dict(settings or {}))
    place = Path(out) if out is not None else None
    return run_fit(config, rows, out=place, console=Console(quiet=quiet), command=["supertune.fit"])


def crossval(
    data: object,
    *,
    folds: int = 5,
    repeats: int = 1,
    fold_column: str | None = None,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    task: str | None = None,
    model: str | None = None,
    strategy: str | None = None,
    out: str | Path | None = None,
    seed: int | None = None,
    keep_models: bool = False,
    settings: Mapping[str, object] | None = None,
    quiet: bool = True,
) -> CrossValidation:
    """Train on all folds of the rows but one and ask about that one, in turn; ``supertune crossval``.

    Args:
        data: Rows as `read` takes them, or the path of a YAML configuration.
        folds: Parts that the rows are dealt into.
        repeats: How often they are dealt anew.
        fold_column: Column that says the fold of each row, instead.
        text: Text column or columns; None: inferred.
        label: Label column or columns; None: inferred.
        task: As in `fit`.
        model: Registered name, folder or hub id; None: by language.
        strategy: Which parameters learn; None: the default.
        out: The folder, new or to go on with; None: ``runs/crossval-…``, by rows and settings.
        seed: Seed of folds and training; None: 0 for both.
        keep_models: Keep the run of every fold.
        settings: Any configuration key.
        quiet: False shows on standard error what the command line shows.

    Returns:
        Means over the folds with intervals, and where the out-of-fold predictions are.

    Raises:
        UserError: Something in data, configuration or surroundings is wrong.
        GateError: The gate stops a fold.
    """
    from supertune.recipes.crossval import CrossvalChoices
    from supertune.recipes.crossval import crossval as run_crossval

    config, rows = configured(data, text, label, model)
    values = {"task.name": task, "strategy.name": strategy, "data.split_seed": seed, "train.seed": seed}
    given = {key: value for key, value in values.items() if value is not None}
    config = config.with_values(given | dict(settings or {}))
    choices = CrossvalChoices(folds, repeats, fold_column, keep_models)
    place = Path(out) if out is not None else None
    return run_crossval(config, rows, choices=choices, out=place, console=Console(quiet=quiet))


def compare(
    runs: Sequence[str | Path | Run],
    *,
    metrics: Sequence[str] = (),
    out: str | Path | None = None,
    quiet: bool = True,
) -> Comparison:
    """Compare finished runs on the test rows that they have in common; ``supertune compare``.

    Args:
        runs: Two or more, or their folders.
        metrics: Which; none for the one that the first run is judged by and those that are told with it.
        out: JSONL file for the rows that are answered differently.
        quiet: False shows on standard error what the command line shows.

    Returns:
        Scores, paired differences with intervals, parts of the rows, and rows that are answered differently.

    Raises:
        UserError: They cannot be compared; says why.
    """
    from supertune.recipes.compare import compare as run_compare

    paths = [run.path if isinstance(run, Run) else Path(run) for run in runs]
    place = Path(out) if out is not None else None
    return run_compare(paths, metrics=metrics, out=place, console=Console(quiet=quiet))


def resume(run: str | Path, data: object = None, *, quiet: bool = True) -> Run:
    """Go on with a run that was interrupted, from its newest whole checkpoint; ``supertune resume``.

    A run that is done is returned as it is.

    Args:
        run: The run directory.
        data: The rows again, if they were in memory when the run began.
        quiet: False shows on standard error what the command line shows.

    Returns:
        The finished run.

    Raises:
        UserError: There is no such run, it is still running, or its data or model has changed.
    """
    from supertune.recipes.resume import resume as go_on

    return go_on(Path(run), data, console=Console(quiet=quiet))


def zero_shot(
    data: object,
    labels: Sequence[str] | Mapping[str, str | Sequence[str]],
    *,
    text: str | Sequence[str] | None = None,
    model: str | None = None,
    template: str = "{}",
) -> list[dict[str, object]]:
    """Label rows by what the labels mean, with a model that has learned from none; ``supertune zero-shot``.

    How often it is right can only be told on labelled rows: `fit` with ``strategy="zero-shot"``.

    Args:
        data: A list of texts, or rows as `read` takes them.
        labels: Labels that say what they mean, or label → what it means, a text or several.
        text: Text column or columns; None: inferred.
        model: Registered name, folder or hub id; None: by language.
        template: A text around each description, which stands where {} is.

    Returns:
        A line of predictions per row, in order: ``row``, its columns, ``prediction``, ``scores``.

    Raises:
        UserError: The rows cannot be used, there is no such model, or it is not known what a label means.
    """
    from supertune.recipes.zero_shot import zero_shot_file, zero_shot_texts

    console = Console(quiet=True)
    if isinstance(data, Sequence) and not isinstance(data, str) and all(isinstance(item, str) for item in data):
        return list(zero_shot_texts(labels, data, model=model, template=template, console=console))
    columns = [text] if isinstance(text, str) else text
    return list(zero_shot_file(labels, data, text=columns, model=model, template=template, console=console))


def check(
    data: object,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    pair: bool | None = None,
    task: str | None = None,
    model: str | None = None,
    settings: Mapping[str, object] | None = None,
    label_errors: bool | None = None,
    review: str | Path | None = None,
    report: str | Path | None = None,
    fix: str | Path | None = None,
) -> GateReport:
    """Look for what would make training or its scores wrong; ``supertune check``.

    Args:
        data: File, folder or rows.
        text: Text columns; None: found by name.
        label: Label columns; None: found by name.
        pair: Whether two text columns are compared.
        task: What is to be learned.
        model: Whose tokenizer tells what would be cut.
        settings: Any configuration keys.
        label_errors: Ask an encoder which labels are probably wrong; None: where that takes little time.
        review: File (.csv, .jsonl) for these labels, each with a place for a decision; asks for them.
        report: HTML file to write: what was found, with pictures and rows.
        fix: Folder for a copy in which is put right what needs no decision; what is found is found in the copy then.

    Raises:
        UserError: The data cannot be read, or its columns cannot be told.
    """
    from supertune.recipes.check import check as run_check

    config, rows = configured(data, text, label, model)
    config = named(config, task, pair).with_values(dict(settings or {}))
    return run_check(
        config,
        rows,
        label_errors=label_errors,
        review=None if review is None else Path(review),
        page=None if report is None else Path(report),
        fix=None if fix is None else Path(fix),
        console=Console(quiet=True),
    )


def inspect(
    data: object,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    pair: bool | None = None,
    task: str | None = None,
    model: str | None = None,
    rows: int = 5,
    settings: Mapping[str, object] | None = None,
) -> Inspection:
    """The first rows as token pieces, as a model will see them; ``supertune inspect``.

    What comes back is shown by ``print()``, and written by ``html()`` and ``as_dict()``. Rows that training would leave
    out or refuse are among it, with their problems.

    Raises:
        UserError: The data cannot be read, or the model cannot be found.
    """
    from supertune.recipes.inspect import inspect as run_inspect

    config, content = configured(data, text, label, model)
    config = named(config, task, pair).with_values(dict(settings or {}))
    return run_inspect(config, content, rows=rows, console=Console(quiet=True))
