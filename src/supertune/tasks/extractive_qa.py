"""Extractive question answering: the part of a text that answers a question, or that there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.answer_spans import Asked, Span, asked_of
from supertune.contracts import Columns, Features, Head, IntArray, Outcome, Prediction, Rows, model_inputs
from supertune.language import guess_language
from supertune.tasks.pointing import Pointed, best_spans, best_threshold, pointed, token_positions
from supertune.tasks.text import TextTask
from supertune.tasks.windows import Sliding, window_batches, window_lengths

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

IGNORED = -100
"""Position that the loss passes over: the row has an answer, but none that could be pointed to."""
ANSWERLESS, UNLABELLED, LOST = -1, -2, -3
"""First character of the answer where there is none to be found, nobody has said, or none is in the text."""
_CANDIDATES_PER_ANSWER = 4
"""Spans kept of each window for each answer to be told: different spans may have the same words."""
_OUT_OF_SIGHT = -1e4
"""Score of a token that is neither of the text nor the first one: exp() of it is nothing in any precision."""
_FOR_LANGUAGE = 400


@dataclass(frozen=True)
class Settings:
    """How texts are cut into windows, and how many answers are told.

    Attributes:
        stride: Tokens from the beginning of a window to that of the next, at most.
        longest_answer: Tokens of an answer, at most.
        n_best: Answers told of each question.
    """

    stride: int = 128
    longest_answer: int = 64
    n_best: int = 5


class ExtractiveQaTask(TextTask):
    """Learns to point to the first and the last token of the answer to a question, in a text of any length.

    A long text is read in overlapping windows. A window that does not hold the answer whole points to its first token,
    which stands for there being none. Where training rows have questions without an answer, none is given where that
    is surer by more than a threshold, which validation rows choose.

    Args:
        columns: The question's and the text's column, and that of the answers.
        settings: See `Settings`.
        threshold: None where every question of the training rows has an answer: then one is always given.
        primary_metric: What chooses the best epoch, when that is known already (a saved model).
        criterion: (scores float (items, tokens, 2), positions int64 (items, 2)) → (summed loss, items); only
            training needs it.
    """

    name = "extractive-qa"
    answers = "answers"

    def __init__(
        self,
        columns: Columns,
        *,
        settings: Settings | None = None,
        threshold: float | None = None,
        primary_metric: str = "f1",
        criterion: Criterion | None = None,
    ) -> None:
        super().__init__(columns, criterion)
        self.settings = settings or Settings()
        self.threshold = threshold
        self.primary_metric = primary_metric

    @classmethod
    def built(cls, columns: Columns, settings: Mapping[str, Any]) -> ExtractiveQaTask:
        """With the settings that are not left open."""
        known = {name: settings[name] for name in asdict(Settings()) if settings.get(name) is not None}
        return cls(columns, settings=Settings(**known))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ExtractiveQaTask:
        """The task as it was saved by `state`."""
        labels = (state["label"],) if state["label"] else ()
        columns = Columns(tuple(state["text"]), labels, pair=True, answers="answers", starts=state["starts"])
        return cls(
            columns,
            settings=Settings(**state["settings"]),
            threshold=state["threshold"],
            primary_metric=state["primary_metric"],
        )

    def state(self) -> dict[str, Any]:
        """Columns, settings, and what was learned of the answers."""
        known = self.columns
        return {
            "text": list(known.text),
            "label": known.label,
            "starts": known.starts,
            "settings": asdict(self.settings),
            "threshold": self.threshold,
            "primary_metric": self.primary_metric,
        }

    def configured(self) -> dict[str, object]:
        """Its settings, as the configuration's section ``task`` has them."""
        return asdict(self.settings)

    def _with(self, **changes: Any) -> ExtractiveQaTask:
        same = {"settings": self.settings, "threshold": self.threshold, "primary_metric": self.primary_metric}
        return ExtractiveQaTask(self.columns, **{**same, "criterion": self._criterion, **changes})

    def minimising(self, criterion: Criterion) -> ExtractiveQaTask:
        """The same task with what its training minimises."""
        return self._with(criterion=criterion)

    def fit_state(self, rows: Rows) -> None:
        """Whether there are questions without an answer, and what the rules of the texts' language are.

        Raises:
            UserError: A row has something else than answers.
        """
        open_ended = any(asked.answers == () for asked in asked_of(rows, self.columns))
        self.threshold = 0.0 if open_ended else None
        contexts = [asked.context for asked in islice(asked_of(rows, self.columns), 0, None, self._every(rows))]
        self.primary_metric = "f1_cmrc" if guess_language(contexts).language == "zh" else "f1"

    def _every(self, rows: Rows) -> int:
        return max(1, len(rows) // _FOR_LANGUAGE)

    @property
    def headline(self) -> tuple[str, ...]:
        """Exact match and F1 by the rules of the texts' language, then by the other rules."""
        rules = ("", "_cmrc")
        first, second = rules if self.primary_metric == "f1" else rules[::-1]
        return tuple(f"{name}{rule}" for rule in (first, second) for name in ("f1", "exact_match"))

    def head(self) -> Head:
        """A head that scores every token twice: as the first of the answer, and as the last."""
        names = ("start", "end")
        return Head(
            "AutoModelForQuestionAnswering",
            {
                "num_labels": 2,
                "id2label": dict(enumerate(names)),
                "label2id": {name: index for index, name in enumerate(names)},
            },
        )

    # ------------------------------------------------------------ rows as windows

    @property
    def _sliding(self) -> Sliding:
        return Sliding(self.settings.stride, self.settings.longest_answer)

    def token_settings(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[object]:
        """How windows follow each other."""
        return [self.settings.stride, self.settings.longest_answer]

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """See `windows.window_batches`."""
        return window_batches(rows, self.columns, tokenizer, max_length, self._sliding)

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """See `windows.window_lengths`: nothing of a text is cut, and of a question seldom anything."""
        return window_lengths(rows, self.columns, tokenizer, max_length, self._sliding)

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """``spans``: int64 (rows, 2), first character of the answer and behind its last; nothing without the column.

        Of several right answers the first that is in the text. -1 where the question has none, -2 where nobody has
        said, -3 where none of them is in the text.

        Raises:
            UserError: A row has something else than answers.
        """
        if self.columns.label is None or self.columns.label not in rows.column_names:
            return {}
        found = [_learned(asked) for asked in asked_of(rows, self.columns)]
        return {"spans": np.array(found, np.int64).reshape(-1, 2)}

    def with_targets(self, tokens: Features, targets: Mapping[str, NDArray[Any]]) -> Features:
        """Adds ``labels``, int64 (items, 2): the first and the last token of the answer.

        0 where the window does not hold it whole or there is none. `IGNORED` in every window of a row whose answer is
        nowhere, or so long that no window holds it: to learn that it has none would be wrong.
        """
        if not targets:
            return replace(tokens, targets={})
        spans = targets["spans"][tokens.rows]
        positions = token_positions(tokens, spans)
        reached = np.zeros(len(targets["spans"]), bool)
        reached[tokens.rows[positions[:, 0] >= 0]] = True
        reached |= targets["spans"][:, 0] == ANSWERLESS
        labels = np.where(reached[tokens.rows][:, None], np.maximum(positions, 0), IGNORED)
        return replace(tokens, targets={"labels": labels, "spans": spans})

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): whose questions have answers, or are known to have none."""
        labelled: NDArray[np.bool_] = features.targets["spans"][:, 0] != UNLABELLED
        return labelled

    def out_of_reach(self, features: Features) -> IntArray:
        """int64: the rows whose answer is in the text, but too long to be whole in any window."""
        there = features.targets["spans"][:, 0] >= 0
        return np.unique(features.rows[there & (features.targets["labels"][:, 0] == IGNORED)])

    # ------------------------------------------------------------ windows as scores

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float (items, tokens, 2): how much each token looks like the first of the answer, and like the last.

        0 for padding: what a model says of it depends on how frozen layers were computed, and nothing hangs on it.
        """
        import torch

        outputs = model(**model_inputs(batch))
        scores = torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)
        return scores.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, 0.0)

    def criterion(self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss and the number of items, in 32 bits; only the text and the first token can be pointed to."""
        assert self._criterion is not None
        seen = batch["ends"] > batch["begins"]
        seen[:, 0] = True
        return self._criterion(outputs.float().masked_fill(~seen.unsqueeze(-1), _OUT_OF_SIGHT), batch["labels"])

    def answering(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float32 (items, 1 + candidates, 3): the best spans of each window; see `pointing.best_spans`."""
        return best_spans(
            self.forward(model, batch),
            batch["begins"],
            batch["ends"],
            longest=self.settings.longest_answer,
            count=_CANDIDATES_PER_ANSWER * self.settings.n_best,
        )

    # ------------------------------------------------------------ scores as answers

    def calibrated(self, outputs: NDArray[Any], features: Features) -> ExtractiveQaTask:
        """With the threshold that is best for these rows, if there are questions without an answer at all.

        A span is worth the F1 of its characters with those of the right answer that it has the most of: that says
        the same of texts with and without spaces.
        """
        if self.threshold is None:
            return self
        gaps, values, answerable = [], [], []
        for found, asked in self._asked(outputs, features):
            if asked.answers is None:
                continue
            spans = [span for span in asked.spans() if span is not None]
            best = found.spans[0] if found.spans else None
            gaps.append(found.gap)
            values.append(max((_overlap(best, span) for span in spans), default=0.0) if best else 0.0)
            answerable.append(bool(asked.answers))
        if not gaps:
            return self
        chosen = best_threshold(np.array(gaps), np.array(values), np.array(answerable, bool))
        return self._with(threshold=chosen)

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """The words of the best span of each row, where they stand, and the next best.

        ``start`` and ``end`` count characters of the text; null where there is no answer. ``n_best`` has different
        words each, with the summed scores of their first and last token.
        """
        predictions = []
        # What may stand in a column of answers is of no concern here.
        for found, asked in self._asked(outputs, features, replace(self.columns, labels=())):
            told = _told(found, asked.context, self.settings.n_best)
            answer = told[0] if self._answers(found) else None
            more: dict[str, Any] = {"start": answer and answer["start"], "end": answer and answer["end"]}
            if self.threshold is not None:
                more["no_answer_score"] = found.nothing
            more["n_best"] = told
            predictions.append(Prediction(found.row, answer["text"] if answer else "", more=more))
        return predictions

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """The right answers of the labelled rows, as tuples of texts, and the words that were given."""
        truths: list[tuple[str, ...]] = []
        given: list[str] = []
        for found, asked in self._asked(outputs, features):
            if asked.answers is None:
                continue
            truths.append(tuple(answer.text for answer in asked.answers))
            start, end = found.spans[0][1:] if self._answers(found) else (0, 0)
            given.append(asked.context[start:end])
        return Outcome(_objects(truths), _objects(given), answers=self.answers)

    def _answers(self, found: Pointed) -> bool:
        return bool(found.spans) and (self.threshold is None or found.gap <= self.threshold)

    def _asked(
        self, outputs: NDArray[Any], features: Features, columns: Columns | None = None
    ) -> Iterator[tuple[Pointed, Asked]]:
        """What each row's windows point to, and the row."""
        assert features.table is not None, "answers are cut out of the rows, which must be at hand"
        asked, passed = asked_of(features.table, columns or self.columns), 0
        for found in pointed(outputs, features):
            yield found, next(islice(asked, found.row - passed, None))
            passed = found.row + 1


def _objects(values: Sequence[object]) -> NDArray[Any]:
    """Object (values,): filled one by one, since NumPy would make a table of tuples of the same length."""
    found = np.empty(len(values), object)
    for place, value in enumerate(values):
        found[place] = value
    return found


def _learned(asked: Asked) -> tuple[int, int]:
    """Characters of the answer to learn; see `ExtractiveQaTask.targets`."""
    if asked.answers is None:
        return UNLABELLED, UNLABELLED
    if not asked.answers:
        return ANSWERLESS, ANSWERLESS
    found = next((span for span in asked.spans() if span is not None), None)
    return (found.start, found.end) if found else (LOST, LOST)


def _told(found: Pointed, context: str, count: int) -> list[dict[str, Any]]:
    """The best answers of different words."""
    told: dict[str, dict[str, Any]] = {}
    for score, start, end in found.spans:
        text = context[start:end]
        told.setdefault(text, {"text": text, "score": score, "start": start, "end": end})
        if len(told) == count:
            break
    return list(told.values())


def _overlap(span: tuple[float, int, int], truth: Span) -> float:
    """F1 of the characters of two spans."""
    common = min(span[2], truth.end) - max(span[1], truth.start)
    return 2 * common / (span[2] - span[1] + truth.end - truth.start) if common > 0 else 0.0
