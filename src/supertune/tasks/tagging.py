"""Tagging: the entities in a text, each with its exact characters and its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, Head, IntArray, Label, Outcome, Prediction, Rows
from supertune.entity_spans import Tagged, tagged_of
from supertune.errors import UserError
from supertune.language import inside_word
from supertune.tasks.classification import label_text
from supertune.tasks.tag_paths import Found, best_paths, found_entities, tag_names, token_tags
from supertune.tasks.text import TextTask
from supertune.tasks.text_windows import longest_windows, text_windows
from supertune.tasks.windows import Sliding

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

_OVERLAP = 64
"""Tokens that windows share at least: every token has half of them around it in one of the two."""
_SELDOM = 0.01
"""Share of the training entities that begin or end inside a word, below which none may."""


@dataclass(frozen=True)
class Settings:
    """How texts are cut into windows.

    Attributes:
        stride: Tokens from the beginning of a window to that of the next, at most.
    """

    stride: int = 192


class TaggingTask(TextTask):
    """Learns to find entities: stretches of a text, apart from each other, each with one label.

    A long text is read in overlapping windows; every token is learned and judged in the one window where it has the
    most around it. All tokens of the text are learned, also those that go on with a word: what a word is, scripts do
    not agree about. Answers are the likeliest tags that make whole entities.

    Args:
        columns: The column of texts or tokens, and that of entities.
        labels: Labels in index order, when they are known already (a saved model).
        whole_words: Whether entities are made of whole words, in scripts that have spaces between them.
        settings: See `Settings`.
        mentions: The words of the training entities, as long as the run lasts that learns from them; saved nowhere.
        criterion: (outputs float (tokens, tags), tags int64 (tokens,)) → (summed loss, tokens); only training needs
            it.
    """

    name = "tagging"
    answers = "spans"
    primary_metric = "f1_micro"
    headline = ("f1_micro", "precision_micro", "recall_micro", "f1_macro", "f1_boundaries", "label_accuracy")

    def __init__(
        self,
        columns: Columns,
        *,
        labels: tuple[Label, ...] = (),
        whole_words: bool = False,
        settings: Settings | None = None,
        mentions: frozenset[str] = frozenset(),
        criterion: Criterion | None = None,
    ) -> None:
        super().__init__(columns, criterion)
        self.labels = labels
        self.whole_words = whole_words
        self.settings = settings or Settings()
        self.mentions = mentions

    @classmethod
    def built(cls, columns: Columns, settings: Mapping[str, Any]) -> TaggingTask:
        """With the settings that are not left open."""
        known = {name: settings[name] for name in asdict(Settings()) if settings.get(name) is not None}
        return cls(columns, settings=Settings(**known))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TaggingTask:
        """The task as it was saved by `state`."""
        labels = (state["label"],) if state["label"] else ()
        columns = Columns(tuple(state["text"]), labels, answers="spans", tag_names=tuple(state["tag_names"]))
        return cls(
            columns,
            labels=tuple(state["labels"]),
            whole_words=bool(state["whole_words"]),
            settings=Settings(**state["settings"]),
        )

    def state(self) -> dict[str, Any]:
        """Columns, settings, labels with their JSON types in index order, and whether entities are whole words."""
        known = self.columns
        return {
            "text": list(known.text),
            "label": known.label,
            "tag_names": list(known.tag_names),
            "labels": list(self.labels),
            "whole_words": self.whole_words,
            "settings": asdict(self.settings),
        }

    def configured(self) -> dict[str, object]:
        """Its settings, as the configuration's section ``task`` has them."""
        return asdict(self.settings)

    def minimising(self, criterion: Criterion) -> TaggingTask:
        """The same task with what its training minimises."""
        return TaggingTask(
            self.columns,
            labels=self.labels,
            whole_words=self.whole_words,
            settings=self.settings,
            mentions=self.mentions,
            criterion=criterion,
        )

    def fit_state(self, rows: Rows) -> None:
        """Collect the labels of the training entities, in a natural order, and see whether they are whole words.

        Raises:
            UserError: No row has an entity, or a cell holds something else.
        """
        counts: Counter[Label] = Counter()
        mentions: set[str] = set()
        inside = 0
        for found in tagged_of(rows, self.columns):
            for entity in found.entities or ():
                counts[entity.label] += 1
                mentions.add(found.text[entity.start : entity.end])
                inside += inside_word(found.text, entity.start) or inside_word(found.text, entity.end)
        if not counts:
            raise UserError(
                "no training row has an entity, so there is nothing to learn",
                where=f"column {self.columns.label!r}",
                fix="name the right column with --label",
            )
        self.labels = tuple(sorted(counts, key=lambda label: (isinstance(label, str), label)))
        self.mentions = frozenset(mentions)
        self.whole_words = inside <= _SELDOM * counts.total()

    @property
    def label_names(self) -> tuple[str, ...]:
        """Labels as text, in index order."""
        return tuple(label_text(label) for label in self.labels)

    def head(self) -> Head:
        """A head that scores the tags of every token: none, and for each label its beginning and its going on."""
        names = tag_names(self.label_names)
        return Head(
            "AutoModelForTokenClassification",
            {
                "num_labels": len(names),
                "id2label": dict(enumerate(names)),
                "label2id": {name: index for index, name in enumerate(names)},
            },
        )

    # ------------------------------------------------------------ rows as windows

    def token_settings(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[object]:
        """How windows follow each other."""
        return [self.settings.stride]

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """See `text_windows.text_windows`."""
        return text_windows(rows, self.columns, tokenizer, max_length, Sliding(self.settings.stride, _OVERLAP))

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """See `text_windows.longest_windows`: nothing of a text is cut."""
        return longest_windows(self.token_batches(rows, tokenizer, max_length))

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """The entities of all rows, one after the other; nothing without the column.

        ``entities``: int64 (entities, 3), first character, behind the last, and label; ``bounds``: int64 (rows + 1,),
        row r has ``entities[bounds[r]:bounds[r + 1]]``; ``tagged``: bool (rows,), whether anybody has looked.

        Raises:
            UserError: A row has a label that was not seen in training, or a cell holds no entities.
        """
        if self.columns.label is None or self.columns.label not in rows.column_names:
            return {}
        # By text, since a CSV file's 1 is a JSON file's "1".
        index = {name: position for position, name in enumerate(self.label_names)}
        entities: list[tuple[int, int, int]] = []
        bounds, looked_at = [0], []
        for row, found in enumerate(tagged_of(rows, self.columns)):
            for entity in found.entities or ():
                position = index.get(label_text(entity.label))
                if position is None:
                    raise self._unknown(entity.label, int(rows.row_ids[row]))
                entities.append((entity.start, entity.end, position))
            bounds.append(len(entities))
            looked_at.append(found.entities is not None)
        return {
            "entities": np.array(entities, np.int64).reshape(-1, 3),
            "bounds": np.array(bounds, np.int64),
            "tagged": np.array(looked_at, bool),
        }

    def _unknown(self, label: Label, row: int) -> UserError:
        known = ", ".join(map(repr, self.labels[:20]))
        return UserError(
            f"row {row} has an entity with the label {label!r}, which is not among the labels learned ({known})",
            where=f"column {self.columns.label!r}",
            fix="correct the label, or train with rows of it",
        )

    def with_targets(self, tokens: Features, targets: Mapping[str, NDArray[Any]]) -> Features:
        """Adds the token column ``tags`` int16: one more than the tag, 0 where nothing is learned.

        That is outside the text, in every window but the one that a token is judged in, and in rows that nobody has
        looked at. And per item ``tagged``, whether anybody has, ``inexact``, how many entities of the row no tokens
        have the exact characters of, and ``known`` how many it has (both 0 in all of a row's items but one).
        """
        if not targets:
            return replace(tokens, targets={})
        tags, inexact = token_tags(tokens, targets["entities"], targets["bounds"])
        looked_at = targets["tagged"][tokens.rows]
        learned = (tokens.tokens["begins"] >= 0) & (tokens.tokens["home"] == 1) & np.repeat(looked_at, tokens.lengths)
        rows, firsts = np.unique(tokens.rows, return_index=True)
        counted = np.zeros((2, len(tokens)), np.int64)
        counted[:, firsts] = np.stack([inexact, np.diff(targets["bounds"])])[:, rows]
        columns = {**tokens.tokens, "tags": np.where(learned, tags + 1, 0).astype(np.int16)}
        return replace(
            tokens, tokens=columns, targets={"tagged": looked_at, "inexact": counted[0], "known": counted[1]}
        )

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): whose texts somebody has looked at, if only to say that there is no entity."""
        labelled: NDArray[np.bool_] = features.targets["tagged"]
        return labelled

    # ------------------------------------------------------------ windows as tags

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float (items, tokens, tags); 0 for padding, of which a model says what frozen layers were computed by."""
        return super().forward(model, batch).masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, 0.0)

    def criterion(self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of the learned tokens and their number, in 32 bits."""
        assert self._criterion is not None
        learned = batch["tags"] > 0
        return self._criterion(outputs[learned].float(), batch["tags"][learned] - 1)

    def answering(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float32 (items, tokens, 2): the tags that make whole entities; see `tag_paths.best_paths`."""
        seen = batch["ends"] > batch["begins"]
        return best_paths(self.forward(model, batch), seen, batch["follows"], whole_words=self.whole_words)

    # ------------------------------------------------------------ tags as entities

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """The entities of each row: ``start``, ``end`` (characters of the text), ``label``, ``text``, ``score``.

        Where a row was given in tokens, also the ``text`` that characters count in, and a tag for each token (IOB2).
        """
        predictions = []
        rows = np.unique(features.rows).tolist()
        # What may stand in a column of entities is of no concern here.
        for row, found, given in self._read(outputs, features, rows, replace(self.columns, labels=())):
            told = [
                {
                    "start": one.start,
                    "end": one.end,
                    "label": self.labels[one.label],
                    "text": given.text[one.start : one.end],
                    "score": one.score,
                }
                for one in found
            ]
            more: dict[str, Any] = {}
            if given.tokens is not None:
                more = {"text": given.text, "tags": self._tags(found, given.tokens)}
            predictions.append(Prediction(row, told, more=more))
        return predictions

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """The true entities and those found in the labelled rows, as tuples of (start, end, index of the label)."""
        index = {name: position for position, name in enumerate(self.label_names)}
        truths: list[tuple[tuple[int, int, int], ...]] = []
        answers: list[tuple[tuple[int, int, int], ...]] = []
        rows = np.unique(features.rows).tolist()
        for _, found, given in self._read(outputs, features, rows, self.columns):
            if given.entities is None:
                continue
            truths.append(tuple((one.start, one.end, index[label_text(one.label)]) for one in given.entities))
            answers.append(tuple((one.start, one.end, one.label) for one in found))
        return Outcome(_objects(truths), _objects(answers), self.label_names, self.answers)

    def _read(
        self, outputs: NDArray[Any], features: Features, rows: Sequence[int], columns: Columns
    ) -> Iterator[tuple[int, list[Found], Tagged]]:
        """What was found in each of the rows that there are items of, and the row."""
        assert features.table is not None, "entities are cut out of the rows, which must be at hand"
        found = dict(zip(rows, found_entities(outputs, features), strict=True))
        for row, given in enumerate(tagged_of(features.table, columns)):
            if row in found:
                yield row, found[row], given

    def _tags(self, found: Sequence[Found], tokens: Sequence[tuple[int, int]]) -> list[str]:
        tags = ["O"] * len(tokens)
        names = self.label_names
        for one in found:
            inside = [place for place, (start, end) in enumerate(tokens) if start < one.end and end > one.start]
            for place in inside:
                tags[place] = f"{'B' if place == inside[0] else 'I'}-{names[one.label]}"
        return tags


def _objects(values: Sequence[object]) -> NDArray[Any]:
    """Object (values,): filled one by one, since NumPy would make a table of tuples of the same length."""
    found = np.empty(len(values), object)
    for place, value in enumerate(values):
        found[place] = value
    return found
