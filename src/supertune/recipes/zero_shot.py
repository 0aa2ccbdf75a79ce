"""Answers where nothing is labelled: a model that knows what the labels mean, and has learned from no row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Columns, ReadsLabels, Strategy, Task, label_names
from supertune.data import OnBadRow, Table, infer_columns, read
from supertune.errors import UserError
from supertune.language import guess_language
from supertune.models import ModelSource, load_tokenizer, load_with_head
from supertune.recipes.answering import answerer_of
from supertune.recipes.rows import sample_texts
from supertune.recipes.saved import SavedModel, base_head
from supertune.recipes.settings import chosen_strategy
from supertune.recipes.start import check_padding, find_max_length, find_model
from supertune.tasks import ClassificationTask

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Labels = Sequence[str] | Mapping[str, str | Sequence[str]]
"""Labels that say what they mean, or what each of them means, in one text or several."""

_TEXT = "text"
"""The column of texts that come without one."""
_DESCRIPTIONS = "strategy.descriptions"
_EXAMPLE = "refund,delivery, or what they mean: " + json.dumps(
    {"refund": "They want their money back.", "delivery": ["It is late.", "It is lost."]}
)
_FOR_LANGUAGE = 4000


def zero_shot_file(
    labels: Labels,
    file: object,
    *,
    text: Sequence[str] | None = None,
    model: str | None = None,
    template: str = "{}",
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    console: Console,
) -> Iterator[dict[str, object]]:
    """Predict every row of a file; a label column may be there, and is not looked at.

    Args:
        labels: What there is to choose from.
        file: Rows as `supertune.read` takes them.
        text: Text columns; None: inferred.
        model: Registered name, folder or hub id; None: by the language of the texts.
        template: A text around each description, which stands where {} is.
        on_bad_row: What to do with malformed rows.
        sheet: Sheet of a spreadsheet.
        console: Where to say what was inferred, and to show progress.

    Raises:
        UserError: The rows cannot be used, there is no such model, or it is not known what a label means.
    """
    table = read(file, on_bad_row=on_bad_row, sheet=sheet)
    columns = infer_columns(table, text=text, need_label=False, pair=False)
    for announcement in columns.announcements:
        console.say(f"  {announcement}")
    saved = _opened(labels, table, Columns(columns.text), model, template, console)
    return answerer_of(saved).answer(table, console)


def zero_shot_texts(
    labels: Labels, texts: Sequence[str], *, model: str | None = None, template: str = "{}", console: Console
) -> Iterator[dict[str, object]]:
    """Predict texts given one by one; see `zero_shot_file`.

    Raises:
        UserError: There is no such model, or it is not known what a label means.
    """
    table = Table.from_rows([{_TEXT: text} for text in texts], source="texts")
    saved = _opened(labels, table, Columns((_TEXT,)), model, template, console)
    return answerer_of(saved).answer(table, console)


def answering_model(
    source: ModelSource, tokenizer: PreTrainedTokenizerBase, strategy: Strategy, task: Task
) -> PreTrainedModel:
    """A model that answers for the task's labels, in evaluation mode.

    Raises:
        UserError: It is not known what a label means, or the model has no way to say.
    """
    assert isinstance(strategy, ReadsLabels)
    opened = load_with_head(source, base_head(strategy, task, source), pad_token_id=tokenizer.pad_token_id)
    model = strategy.prepare(opened)
    model.train(False)
    names = label_names(task)
    strategy.read_labels(model, tokenizer, names, scale=source.similarity_scale)
    return model


def room_for_texts(source: ModelSource, model: PreTrainedModel) -> int:
    """Tokens that a text may have where a label's text is read behind it.

    Raises:
        UserError: Next to none.
    """
    behind = int(getattr(model, "longest", 0))
    if source.max_positions - behind < 8:
        raise UserError(
            f"a label's text has {behind} tokens, and {source.name} takes {source.max_positions} with what it is about",
            where=_DESCRIPTIONS,
            fix="describe the labels in fewer words",
        )
    return source.max_positions - behind


def _opened(
    labels: Labels, table: Table, columns: Columns, name: str | None, template: str, console: Console
) -> SavedModel:
    _check_labels(labels)
    described = dict(labels) if isinstance(labels, Mapping) else {}
    values = {"strategy.name": "zero-shot", "strategy.descriptions": described, "strategy.template": template}
    config = Config().with_values({**values, "model.name": name})
    names, strategy = tuple(config.strategy.descriptions or labels), chosen_strategy(config)
    assert isinstance(strategy, ReadsLabels)
    with _named_here(_EXAMPLE):
        strategy.meanings(names)
    source = find_model(config, guess_language(sample_texts(table, columns, _FOR_LANGUAGE)).language)
    console.say(f"  {source.name}: {source.provenance}")
    max_length = find_max_length(config, source)
    tokenizer = load_tokenizer(source, max_length=max_length)
    check_padding(tokenizer, source)
    task = ClassificationTask(columns, labels=names)
    with _named_here():
        model = answering_model(source, tokenizer, strategy, task)
        max_length = min(max_length, room_for_texts(source, model))
    return SavedModel(model, tokenizer, task, max_length, {"name": source.name, "sha256": source.sha256}, strategy)


def _check_labels(labels: Labels) -> None:
    wrong, names = "", list(labels)
    texts: list[object] = list(names)
    if isinstance(labels, Mapping):
        texts = [text for each in labels.values() for text in (each if isinstance(each, list | tuple) else [each])]
    if isinstance(labels, str):
        wrong = f"{labels!r} is one text and not a list of labels"
    elif len(names) < 2:
        wrong = f"{len(names)} labels leave no choice"
    elif repeated := [name for name in names if names.count(name) > 1]:
        wrong = f"{repeated[0]!r} is there twice"
    elif others := [text for text in texts if not isinstance(text, str)]:
        wrong = f"{others[0]!r} is no text"
    if wrong:
        raise UserError(wrong, where="labels", fix=_EXAMPLE)


@contextmanager
def _named_here(fix: str | None = None) -> Iterator[None]:
    """Errors of the strategy's settings under the names that they have without a configuration.

    Args:
        fix: What to do instead of what the strategy says.
    """
    try:
        yield
    except UserError as error:
        if _DESCRIPTIONS in (error.where or ""):
            raise UserError(error.what, where="labels", fix=fix or error.fix) from error
        if error.where == "strategy.template":
            raise UserError(error.what, where="template", fix="write e.g. 'This text is about {}.'") from error
        raise
