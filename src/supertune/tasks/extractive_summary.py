"""Extractive summarisation: the sentences of a document that say the most of it, as they stand there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, FloatArray, Head, IntArray, Outcome, Prediction, Rows, model_inputs
from supertune.errors import UserError
from supertune.extracts import Length, Ranked, best_length, chosen, oracle
from supertune.sentences import sentences, speaks_in_turns
from supertune.summary_texts import Summarised, Unit, parts_of, summarised_of
from supertune.tasks.passages import CONTEXT, MOST, passage_batches, passage_lengths, scores_by_row, sentence_scores
from supertune.tasks.text import TextTask

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

_T = TypeVar("_T")
UNSUPERVISED = -1
"""Label of the sentences of a document that nobody has summed up, or not in its own words."""
_LOOKED_AT = 1000
"""Rows by which the length of summaries is chosen, and told whether documents are dialogues, spread over all."""
_DIALOGUES = 0.8
"""Share of the documents that are spoken in turns, from which a summary is put together from turns."""


@dataclass(frozen=True)
class Settings:
    """What summaries are put together from, and how much is taken.

    Attributes:
        unit: Sentences, or lines; None: lines where documents are dialogues, else sentences.
        sentences: Sentences of a summary, at most; None: as validation rows say, unless ``characters`` limits them.
        characters: Characters of a summary, at most; None: any number.
        blocking: Whether sentences that say again what is said already are passed over; None: as validation rows say.
    """

    unit: Unit | None = None
    sentences: int | None = None
    characters: int | None = None
    blocking: bool | None = None

    @property
    def length(self) -> Length:
        """What is settled of how much is taken."""
        return Length(self.sentences, self.characters, bool(self.blocking))

    @property
    def blockings(self) -> tuple[bool, ...]:
        """What there is to choose from."""
        return (False, True) if self.blocking is None else (self.blocking,)


class ExtractiveSummaryTask(TextTask):
    """Learns which sentences people's summaries come nearest to, and takes the best of a document, verbatim.

    Every token of a sentence is scored, and a sentence by the mean of its tokens (Liu and Lapata 2019 score it by a
    token put before it, which suits BERT's kin alone). What to learn are the sentences that a greedy choice by ROUGE
    takes.

    Args:
        columns: The text columns, and those of the summaries.
        settings: See `Settings`.
        unit: What summaries are put together from, when it is known already (a saved model).
        length: How much is taken, when that is known already.
        criterion: (scores float (sentences, 1), float (sentences, 1), 1 for those to take) → (summed loss, sentences);
            only training needs it.
    """

    name = "extractive-summary"
    answers = "texts"
    primary_metric = "rouge1"
    headline = ("rouge1", "rouge2", "rougeLsum")

    def __init__(
        self,
        columns: Columns,
        *,
        settings: Settings | None = None,
        unit: Unit | None = None,
        length: Length | None = None,
        criterion: Criterion | None = None,
    ) -> None:
        super().__init__(columns, criterion)
        self.settings = settings or Settings()
        self._unit: Unit | None = unit or self.settings.unit
        self.length = length or self.settings.length

    @classmethod
    def built(cls, columns: Columns, settings: Mapping[str, Any]) -> ExtractiveSummaryTask:
        """With the settings that are not left open."""
        return cls(columns, settings=Settings(**{name: settings.get(name) for name in asdict(Settings())}))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ExtractiveSummaryTask:
        """The task as it was saved by `state`."""
        return cls(
            Columns(tuple(state["text"]), tuple(state["columns"]), answers="texts"),
            settings=Settings(**state["settings"]),
            unit=state["unit"],
            length=Length(**state["length"]),
        )

    @property
    def unit(self) -> Unit:
        """What summaries are put together from; sentences until documents have been seen."""
        return self._unit or "sentence"

    def _unit_of(self, rows: Rows) -> Unit:
        """The same for rows that may be the first that are seen."""
        if self._unit is not None:
            return self._unit
        documents = summarised_of(rows, replace(self.columns, labels=()))
        spoken = [speaks_in_turns(one.document) for one in _spread(documents, len(rows))]
        return "line" if spoken and np.mean(spoken) >= _DIALOGUES else "sentence"

    def state(self) -> dict[str, Any]:
        """Columns, settings, and what was found out about documents and summaries."""
        return {
            "text": list(self.columns.text),
            "columns": list(self.columns.labels),
            "settings": asdict(self.settings),
            "unit": self.unit,
            "length": asdict(self.length),
        }

    def configured(self) -> dict[str, object]:
        """Its settings, as the configuration's section ``task`` has them."""
        return asdict(self.settings)

    def _with(self, **changes: Any) -> ExtractiveSummaryTask:
        same = {"settings": self.settings, "unit": self._unit, "length": self.length, "criterion": self._criterion}
        return ExtractiveSummaryTask(self.columns, **{**same, **changes})

    def minimising(self, criterion: Criterion) -> ExtractiveSummaryTask:
        """The same task with what its training minimises."""
        return self._with(criterion=criterion)

    def fit_state(self, rows: Rows) -> None:
        """Whether documents are dialogues, and how many sentences come nearest to their summaries on average.

        Raises:
            UserError: A cell holds no summary, or no document has a word in common with its summary.
        """
        seen = _spread(summarised_of(rows, self.columns), len(rows))
        self._unit = self.settings.unit or self._unit_of(rows)
        counts = [len(oracle(one.units(self.unit), one.summaries).chosen) for one in seen if one.summaries]
        if not any(counts):
            raise UserError(
                "no training row has a word in common with its summary, so there is nothing to learn",
                where=f"column {self.columns.label!r}",
                fix="name the right columns with --text and --label; only Latin letters, digits and scripts without "
                "spaces between words are compared",
            )
        if self.settings.sentences is None and self.settings.characters is None:
            self.length = replace(self.length, sentences=max(1, round(float(np.mean([n for n in counts if n])))))

    def head(self) -> Head:
        """A head that scores every token once."""
        return Head(
            "AutoModelForTokenClassification", {"num_labels": 1, "id2label": {0: "taken"}, "label2id": {"taken": 0}}
        )

    # ------------------------------------------------------------ documents as windows

    def token_settings(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[object]:
        """What windows are put together from."""
        return [self.unit, MOST, CONTEXT]

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """See `passages.passage_batches`."""
        return passage_batches(rows, self.columns, tokenizer, max_length, self._unit_of(rows))

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """See `passages.passage_lengths`: of a document only a sentence is cut that no window holds."""
        return passage_lengths(rows, self.columns, tokenizer, max_length, self._unit_of(rows))

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """``taken``: object (rows,), the indices of the sentences to take as a tuple; nothing without the columns.

        None where nobody has written a summary; empty where no sentence has a word of it.

        Raises:
            UserError: A cell holds no summary.
        """
        if not self.columns.labels or not set(self.columns.labels) <= set(rows.column_names):
            return {}
        found, unit = np.empty(len(rows), object), self._unit_of(rows)
        for row, one in enumerate(summarised_of(rows, self.columns)):
            if one.summaries is not None:
                found[row] = oracle(one.units(unit), one.summaries).chosen
        return {"taken": found}

    def with_targets(self, tokens: Features, targets: Mapping[str, NDArray[Any]]) -> Features:
        """Adds the token column ``labels``, int8: 1 in sentences to take, 0 in others, -1 where nobody knows.

        And the target ``labelled``, bool (items,): whether somebody has summed the document up.
        """
        if not targets:
            return replace(tokens, targets={})
        taken = targets["taken"]
        labels = np.full(len(tokens.tokens["input_ids"]), UNSUPERVISED, np.int8)
        for item, row in enumerate(tokens.rows):
            # To learn that no sentence belongs to a summary would be wrong.
            if taken[row]:
                part = slice(tokens.offsets[item], tokens.offsets[item + 1])
                labels[part] = np.isin(tokens.tokens["sentences"][part] - 1, taken[row])
        known = np.array([one is not None for one in taken], bool)
        return replace(tokens, tokens={**tokens.tokens, "labels": labels}, targets={"labelled": known[tokens.rows]})

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): whose documents somebody has summed up."""
        labelled: NDArray[np.bool_] = features.targets["labelled"]
        return labelled

    # ------------------------------------------------------------ windows as scores

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float (items, tokens): how much each token looks like one of a sentence to take; 0 for padding.

        What a model says of padding depends on how frozen layers were computed, and nothing hangs on it.
        """
        outputs: torch.Tensor = model(**model_inputs(batch)).logits
        return outputs.squeeze(-1).masked_fill(batch["attention_mask"] == 0, 0.0)

    def criterion(self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss and the number of sentences that it is known of whether they are to be taken."""
        assert self._criterion is not None
        scores, numbers, members = sentence_scores(outputs, batch["sentences"])
        # All tokens of a sentence have its label.
        sums = (members @ batch["labels"].float().unsqueeze(2)).squeeze(2)
        labels = (sums / members.sum(dim=2).clamp(min=1)).round()
        known = (numbers > 0) & (labels != UNSUPERVISED)
        return self._criterion(scores[known].unsqueeze(1), labels[known].unsqueeze(1))

    def answering(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float32 (items, 64, 2): the number of each sentence of the window, 1 for the first, and its score."""
        import torch

        scores, numbers, _ = sentence_scores(self.forward(model, batch), batch["sentences"])
        return torch.stack([numbers.float(), scores], dim=2)

    # ------------------------------------------------------------ scores as summaries

    def calibrated(self, outputs: NDArray[Any], features: Features) -> ExtractiveSummaryTask:
        """With as many sentences, and passing over repetitions or not, as are worth the most for these rows."""
        found = self._scored(outputs, features, self.columns)
        ranked = (_ranked(one.units(self.unit), places, scores, one.summaries) for _, one, places, scores in found)
        rows = len(np.unique(features.rows))
        length = best_length(_spread(ranked, rows), self.settings.length, self.settings.blockings)
        return self._with(length=replace(length, sentences=length.sentences or self.length.sentences))

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """The sentences taken of each document in its order, one to a line, with where they stand and a score."""
        predictions = []
        # What may stand in the columns of summaries is of no concern here.
        for row, one, places, scores in self._scored(outputs, features, replace(self.columns, labels=())):
            parts = parts_of(one.document, self.unit)
            units = [one.document[start:end] for start, end in parts]
            sure = dict(zip(places.tolist(), _probabilities(scores), strict=True))
            told = [
                {"text": units[place], "start": parts[place][0], "end": parts[place][1], "score": sure[place]}
                for place in chosen(_ranked(units, places, scores), self.length)
            ]
            predictions.append(Prediction(row, "\n".join(str(each["text"]) for each in told), more={"sentences": told}))
        return predictions

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """The summaries of the labelled rows, a sentence to a line, and the sentences that were taken."""
        truths: list[tuple[str, ...]] = []
        given: list[str] = []
        for _, one, places, scores in self._scored(outputs, features, self.columns):
            if one.summaries is not None:
                units = one.units(self.unit)
                truths.append(in_lines(one.summaries))
                given.append(joined_sentences(units, chosen(_ranked(units, places, scores), self.length)))
        return Outcome(_objects(truths), _objects(given), answers=self.answers)

    def _scored(
        self, outputs: NDArray[Any], features: Features, columns: Columns
    ) -> Iterator[tuple[int, Summarised, IntArray, NDArray[np.float32]]]:
        """Each row, its document, and the sentences of it that have a score."""
        assert features.table is not None, "sentences are cut out of the rows, which must be at hand"
        documents, passed = summarised_of(features.table, columns), 0
        for row, places, scores in scores_by_row(outputs, features):
            yield row, next(islice(documents, row - passed, None)), places, scores
            passed = row + 1


def in_lines(summaries: Sequence[str]) -> tuple[str, ...]:
    """Summaries a sentence to a line: by lines ROUGE-Lsum tells sentences."""
    return tuple("\n".join(_on_a_line(sentence) for sentence in sentences(summary)) for summary in summaries)


def joined_sentences(units: Sequence[str], places: Sequence[int]) -> str:
    """Sentences of a document, each on a line."""
    return "\n".join(_on_a_line(units[place]) for place in places)


def _objects(values: Sequence[object]) -> NDArray[Any]:
    """Object (values,): filled one by one, since NumPy would make a table of tuples of the same length."""
    found = np.empty(len(values), object)
    for place, value in enumerate(values):
        found[place] = value
    return found


def _on_a_line(sentence: str) -> str:
    return " ".join(sentence.split())


def _ranked(
    units: Sequence[str], places: IntArray, scores: NDArray[np.float32], summaries: Sequence[str] | None = None
) -> Ranked:
    """The sentences that have a score, the best first, of equals the first."""
    return Ranked(units, places[np.argsort(-scores, kind="stable")].tolist(), summaries or ())


def _probabilities(scores: NDArray[np.float32]) -> list[float]:
    from scipy.special import expit

    found: FloatArray = expit(scores.astype(np.float64))
    return [float(value) for value in found]


def _spread(items: Iterator[_T], count: int) -> Iterator[_T]:
    """At most about a thousand of so many items, spread evenly."""
    return islice(items, 0, None, max(1, -(-count // _LOOKED_AT)))
