"""A run, for Python: its numbers, its model, and what the model says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from supertune.console import Console
from supertune.contracts import Score
from supertune.recipes.evaluate_written import Generate
from supertune.recipes.predict import evaluate_file, predict_file, predict_texts
from supertune.recipes.saved import SavedModel, open_saved
from supertune.recipes.talk import answer_to
from supertune.recipes.writing_choices import WritingChoices, WritingOptions
from supertune.runs import RunStore, open_run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Run:
    """A run directory. Made by `supertune.fit` and `supertune.load_run`.

    Example:
        >>> run = supertune.load_run("runs/classification-2026-01-31-120000")
        >>> run.metrics["test"]["f1_macro"].low
        >>> run.predict(["where is my parcel"])[0]["prediction"]
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, status={self.status!r})"

    @property
    def path(self) -> Path:
        """The run directory."""
        return self._store.path

    @property
    def status(self) -> str:
        """``running``, ``done``, ``interrupted`` or ``failed``."""
        return self._store.status

    @property
    def metrics(self) -> dict[str, dict[str, Score]]:
        """Split → metric → score with its interval.

        Raises:
            UserError: The run has no metrics, or they are damaged.
        """
        return self._store.read_metrics()

    @property
    def report(self) -> Path:
        """The report to open in a browser.

        Raises:
            UserError: The run has none.
        """
        return self._store.require("report.html")

    def summary(self) -> dict[str, Any]:
        """The shape of ``train --json``."""
        metrics = {
            split: {name: score.as_dict() for name, score in scores.items()} for split, scores in self.metrics.items()
        }
        return {"run": str(self.path), "status": self.status, "metrics": metrics}

    def predict(
        self, data: str | Sequence[str] | object, *, clean: bool = True, **writing: Unpack[WritingOptions]
    ) -> list[dict[str, object]]:
        """What the model says about texts, or about every row of a file, DataFrame or list of dicts.

        Args:
            data: A list of texts, or of pairs of texts where the model compares two, or rows as `supertune.read` takes
                them (a single string is a file's path).
            clean: Whether texts are cleaned as those were that the model learned from, if they were.
            writing: Of models that write: ``max_new_tokens``, ``temperature`` and others of `WritingChoices`.

        Raises:
            UserError: The rows lack a text column of the model, or a file of the run is damaged.
        """
        choices = WritingChoices(**writing)
        if isinstance(data, Sequence) and not isinstance(data, str) and all(map(_is_text, data)):
            return predict_texts(self.path, data, choices, clean=clean)
        return list(predict_file(self.path, data, choices=choices, clean=clean, console=Console(quiet=True)))

    def chat(
        self, messages: str | Sequence[Mapping[str, Any]], *, tools: object = None, **writing: Unpack[WritingOptions]
    ) -> str:
        """What the model answers to messages, or to a text as it was trained to be asked.

        Args:
            messages: As OpenAI's API takes them; the last one is answered. Or what ``supertune chat`` would be told.
            tools: Functions that may be called.
            writing: ``max_new_tokens``, ``temperature`` and others of `WritingChoices`.

        Example:
            >>> run.chat([{"role": "user", "content": "Where is my parcel?"}])

        Raises:
            UserError: The model writes nothing, or the messages cannot be used.
        """
        answer = "".join(self.stream(messages, tools=tools, **writing))
        # Behind a text that is gone on with, white space is a part of it.
        return answer if self._writer.task.name == "text" else answer.strip()

    def stream(
        self, messages: str | Sequence[Mapping[str, Any]], *, tools: object = None, **writing: Unpack[WritingOptions]
    ) -> Iterator[str]:
        """The same in pieces, as it is written. The model stays open for the next time."""
        return answer_to(self._writer, messages, WritingChoices(**writing), tools)

    @cached_property
    def _writer(self) -> SavedModel:
        return open_saved(self._store.require("model"))

    def evaluate(self, data: object, *, generate: Generate = None, clean: bool = True) -> dict[str, Any]:
        """Score the model on labelled rows; the shape of ``evaluate --json``.

        Args:
            data: Rows as `supertune.read` takes them.
            generate: Of models that write: rows to write answers to, or ``"all"``; None: as many as in training.
            clean: As in `predict`.

        Raises:
            UserError: The rows cannot be used, or hold labels the model does not know.
        """
        console = Console(quiet=True)
        return evaluate_file(self.path, data, out=None, generate=generate, clean=clean, console=console)

    def model(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """The model, in 32 bits and evaluation mode, and its tokenizer.

        Raises:
            UserError: The run has no model, or a file of it is damaged.
        """
        saved = open_saved(self._store.require("model"))
        return saved.model, saved.tokenizer


def _is_text(item: object) -> bool:
    """A text or a pair of texts, not a row."""
    return isinstance(item, str) or (isinstance(item, tuple | list) and all(isinstance(text, str) for text in item))


def load_run(path: str | Path) -> Run:
    """Open a run directory.

    Raises:
        UserError: There is no run there.
    """
    return Run(open_run(Path(path)))
