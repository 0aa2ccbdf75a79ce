"""The verbs of the command line as Python functions; offered by ``import supertune``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from supertune.config import Config, load_config
from supertune.console import Console
from supertune.data import OnBadRow, Table
from supertune.recipes.augment import Augmenting
from supertune.recipes.check import GateReport
from supertune.recipes.clean import Preparing
from supertune.recipes.inspect import Inspection
from supertune.recipes.run import Run, load_run

__all__ = [
    "augment",
    "check",
    "clean",
    "fit",
    "inspect",
    "load_run",
    "read",
    "resume",
    "zero_shot",
]


def read(source: object, *, on_bad_row: OnBadRow = "refuse", sheet: str | None = None) -> Table:
    """Rows from a file, folder, hub data set, DataFrame, Arrow table, list of dicts or dict of lists.

    Args:
        source: What to read.
        on_bad_row: ``refuse`` raises and names malformed rows; ``skip`` leaves them out and counts them.
        sheet: Sheet of a spreadsheet; None for the first.

    Raises:
        UserError: It cannot be read; says why, where, and what to do.
    """
    from supertune.data import read as read_source

    return read_source(source, on_bad_row=on_bad_row, sheet=sheet)


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

    config, rows = _configured(data, text, label, model)
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

    Raises:
        UserError: The data cannot be read, or its columns cannot be told.
    """
    from supertune.recipes.check import check as run_check

    config, rows = _configured(data, text, label, model)
    config = _named(config, task, pair).with_values(dict(settings or {}))
    return run_check(
        config,
        rows,
        label_errors=label_errors,
        review=None if review is None else Path(review),
        console=Console(quiet=True),
    )


def clean(
    data: object,
    *,
    steps: Sequence[str | Mapping[str, Mapping[str, object]]] | None = None,
    out: str | Path | None = None,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    pair: bool | None = None,
    task: str | None = None,
    format: Literal["jsonl", "parquet", "csv"] = "jsonl",
    workers: int = 1,
    settings: Mapping[str, object] | None = None,
) -> Preparing:
    """Rows repaired, tidied and thinned out, step by step; ``supertune clean``.

    Args:
        data: As for `read`; several splits as there, or a preparation written by ``clean`` (``preparation.yaml``).
        steps: ``["encoding", {"length": {"least": 3}}]``; None for those that suit the task.
        out: Folder to write the rows to, with what was done; None writes nothing.
        text: Text columns; found when None.
        label: Label columns; found when None.
        pair: Whether two text columns are two texts.
        task: What is to be learned.
        format: Format of the files.
        workers: Processes; the result does not depend on it.
        settings: Further configuration keys.

    Returns:
        The rows that stayed (``.tables``), and what each step did (``.cleaned``).

    Raises:
        UserError: The data cannot be read, a step is wrong, or ``out`` is there already.
    """
    from supertune.config import Preparation, load_preparation, steps_of
    from supertune.recipes.clean import clean as run_clean

    if isinstance(data, str | Path) and Path(data).suffix in (".yaml", ".yml"):
        preparation, content = load_preparation(Path(data)), None
        config = _with_columns(preparation.config, text, label)
    else:
        preparation = Preparation(Config())
        config, content = _configured(data, text, label, None)
    config = _named(config, task, pair).with_values(dict(settings or {}))
    chosen = preparation.steps if steps is None else steps_of(steps)
    return run_clean(
        Preparation(config, chosen),
        content,
        out=None if out is None else Path(out),
        wanted=format,
        workers=workers,
        console=Console(quiet=True),
    )


def augment(
    data: object,
    *,
    by: Sequence[str | Mapping[str, Mapping[str, object]]] | None = None,
    out: str | Path | None = None,
    copies: int | None = None,
    balance: bool = False,
    rows_per_class: int | None = None,
    protect: Mapping[str, object] | None = None,
    seed: int | None = None,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    pair: bool | None = None,
    task: str | None = None,
    format: Literal["jsonl", "parquet", "csv"] = "jsonl",
    settings: Mapping[str, object] | None = None,
) -> Augmenting:
    """New training rows made of those that there are; ``supertune augment``.

    Args:
        data: As for `read`, divided as training would where it is one table; or an ``augmentation.yaml``.
        by: ``["synonyms", {"random-deletion": {"share": 0.05}}]``: what makes new rows.
        out: Folder to write the splits to; None writes nothing.
        copies: New rows of each row by each augmenter; 1 when None.
        balance: Only bring each class up to the largest.
        rows_per_class: Only bring each class up to so many rows.
        protect: What stays as it is: ``negations``, ``quotes``, ``patterns``, ``entities``.
        seed: Chooses what is changed; 0 when None.
        text: Text columns; found when None.
        label: Label columns; found when None.
        pair: Whether two text columns are two texts.
        task: What is to be learned.
        format: Format of the files.
        settings: Further configuration keys.

    Returns:
        The splits (``.tables``), of which only ``train`` has new rows, and what each augmenter did (``.augmented``).

    Raises:
        UserError: The data cannot be read or divided, an augmenter is wrong, or ``out`` is there already.
    """
    from supertune.config import Augmentation, load_augmentation, steps_of
    from supertune.recipes.augment import augment as run_augment

    written = isinstance(data, str | Path) and str(data).lower().endswith((".yaml", ".yml"))
    found = load_augmentation(Path(str(data))) if written else Augmentation(Config())
    rows = None if written else str(data) if isinstance(data, Path) else data
    config = _named(_with_columns(found.config, text, label), task, pair).with_values(dict(settings or {}))
    amount = {"copies": copies, "balance": balance or None, "rows_per_class": rows_per_class}
    found = replace(
        found,
        config=config,
        augmenters=found.augmenters if by is None else steps_of(by, "by"),
        amount={**found.amount, **{name: value for name, value in amount.items() if value is not None}},
        protect={**found.protect, **(protect or {})},
        seed=found.seed if seed is None else seed,
    )
    place = None if out is None else Path(out)
    return run_augment(found, rows, out=place, wanted=format, console=Console(quiet=True))


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

    config, content = _configured(data, text, label, model)
    config = _named(config, task, pair).with_values(dict(settings or {}))
    return run_inspect(config, content, rows=rows, console=Console(quiet=True))


def _named(config: Config, task: str | None, pair: bool | None) -> Config:
    values = {"task.name": task, "data.pair": pair}
    return config.with_values({key: value for key, value in values.items() if value is not None})


def _configured(
    data: object, text: str | Sequence[str] | None, label: str | Sequence[str] | None, model: str | None
) -> tuple[Config, Any]:
    """The configuration, and the rows where they are in memory."""
    config, rows = Config(), None
    if isinstance(data, str | Path):
        if str(data).lower().endswith((".yaml", ".yml")):
            config = load_config(Path(data))
        else:
            config = config.with_values({"data.source": str(data)})
    else:
        rows = data
    return _with_columns(config, text, label, model), rows


def _with_columns(
    config: Config, text: str | Sequence[str] | None, label: str | Sequence[str] | None, model: str | None = None
) -> Config:
    values: dict[str, object] = {
        "data.text": [text] if isinstance(text, str) else list(text) if text is not None else None,
        "data.label": label if isinstance(label, str) or label is None else list(label),
        "model.name": model,
    }
    return config.with_values({key: value for key, value in values.items() if value is not None})
