"""Retrieval: one vector for each text, so that what is asked for lies near what asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, Groups, Head, IntArray, Outcome, Prediction, Rows, model_inputs
from supertune.errors import UserError
from supertune.relevance import Ranked, ranked_of, ranking_outcome
from supertune.tasks.candidates import Candidates
from supertune.tasks.pooling import pooled
from supertune.tasks.relations import Relations
from supertune.tasks.text import TextTask
from supertune.tasks.tokenise import text_tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

Role = Literal["query", "passage"]
QUERY, PASSAGE = 0, 1
MOST_NEGATIVES = 7
"""Passages known not to be asked for that are learned from beside one that is, unless more are wanted."""

_ROWS = 512
_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class EmbeddingSettings:
    """How a vector is made, and what is learned of it.

    Attributes:
        pooling: ``mean`` over the tokens, the first (``cls``), or the ``last``.
        query_prompt: What stands before a query.
        passage_prompt: What stands before a passage.
        scale: What cosines are multiplied by before the softmax: 1 ÷ temperature.
        dimensions: Lengths to which vectors may be cut and still serve; learned from beside the whole.
    """

    pooling: Literal["mean", "cls", "last"] = "mean"
    query_prompt: str = ""
    passage_prompt: str = ""
    scale: float = 20.0
    dimensions: tuple[int, ...] = ()


class RetrievalTask(TextTask):
    """Learns vectors: a query's lies nearer to those of the passages that it asks for than to any other's.

    Items are texts, each once however many rows it stands in; rows are groups of them.

    Args:
        columns: Query and passage, what is known of them, further passages.
        settings: How a vector is made.
        criterion: (similarities float (queries, passages), relevances of the same shape) → (summed loss, pairs); only
            training needs it.
        relations: What is relevant to what among the items of a training batch.
        candidates: What can be found; None for the passages of the rows at hand.
        most_negatives: Passages known not to be asked for that are learned from beside one that is.
    """

    name = "retrieval"
    answers = "ranking"
    primary_metric = "mrr"
    headline = ("mrr", "ndcg@10", "recall@1", "recall@10", "map")

    def __init__(
        self,
        columns: Columns,
        settings: EmbeddingSettings | None = None,
        *,
        criterion: Criterion | None = None,
        relations: Relations | None = None,
        candidates: Candidates | None = None,
        most_negatives: int = MOST_NEGATIVES,
    ) -> None:
        super().__init__(columns, criterion)
        self.settings = settings or EmbeddingSettings()
        self.most_negatives = most_negatives
        self._relations = relations
        self._candidates = candidates

    @classmethod
    def built(cls, columns: Columns, settings: Mapping[str, Any]) -> RetrievalTask:
        """See `TextTask.built`; what is null is as most models have it."""
        known = {name: settings.get(name) for name in asdict(EmbeddingSettings())}
        given = {name: value for name, value in known.items() if value is not None}
        given["dimensions"] = tuple(given.get("dimensions", ()))
        # Who asks for more gets them.
        wanted = max(MOST_NEGATIVES, settings.get("negatives_per_row") or 0)
        return cls(columns, EmbeddingSettings(**given), most_negatives=wanted)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> RetrievalTask:
        """The task as it was saved by `state`."""
        columns = Columns(
            tuple(state["text"]),
            tuple(state["labels"]),
            pair=True,
            answers="ranking",
            symmetric=state["symmetric"],
            negatives=tuple(state["negatives"]),
        )
        settings = {**state["settings"], "dimensions": tuple(state["settings"]["dimensions"])}
        return cls(columns, EmbeddingSettings(**settings))

    def state(self) -> dict[str, Any]:
        """Columns, and how a vector is made."""
        known = self.columns
        columns = {"text": list(known.text), "labels": list(known.labels), "negatives": list(known.negatives)}
        settings = {**asdict(self.settings), "dimensions": list(self.settings.dimensions)}
        return {**columns, "symmetric": known.symmetric, "settings": settings}

    def configured(self) -> dict[str, object]:
        """How a vector is made."""
        return {**asdict(self.settings), "dimensions": list(self.settings.dimensions) or None}

    def _with(self, **changes: Any) -> RetrievalTask:
        known: dict[str, Any] = {"criterion": self._criterion, "relations": self._relations}
        known |= {"candidates": self._candidates, "most_negatives": self.most_negatives}
        return RetrievalTask(self.columns, self.settings, **{**known, **changes})

    def minimising(self, criterion: Criterion) -> RetrievalTask:
        """The same task with what its training minimises."""
        return self._with(criterion=criterion)

    def fit_state(self, rows: Rows) -> None:
        """Check that something is asked for.

        Raises:
            UserError: No row has a relevance above 0, or one is no number.
        """
        if not any((ranked.relevance or 0) > 0 for ranked in ranked_of(rows, self.columns)):
            raise UserError(
                "no row has a relevance above 0, so that nothing is asked for",
                where=f"column {self.columns.label!r}",
                fix="write 1 for passages that are what the query asks for",
            )

    def head(self) -> Head:
        """None: the body's states are the answer."""
        return Head("AutoModel", {})

    # ------------------------------------------------------------ rows as texts

    def token_settings(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[object]:
        """What stands before the texts."""
        return [self.settings.query_prompt, self.settings.passage_prompt]

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """Every row's query, passage and further passages, each an item, one row after the other."""
        for start, portion in self._portions(rows):
            texts = [text for ranked in portion for text in self._said(ranked)]
            counts = [2 + len(ranked.negatives) for ranked in portion]
            found = text_tokens(texts, tokenizer, max_length)
            yield replace(found, rows=np.repeat(np.arange(start, start + len(portion), dtype=np.int64), counts))

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """How many tokens the longest text of each row would need."""
        for _, portion in self._portions(rows):
            said = [self._said(ranked) for ranked in portion]
            lengths = iter(text_tokens([text for each in said for text in each], tokenizer, None).full_lengths)
            yield np.array([max(int(next(lengths)) for _ in each) for each in said], np.int64)

    def _portions(self, rows: Rows) -> Iterator[tuple[int, list[Ranked]]]:
        """The rows in lists that are not too long, each with the number of its first row; at least one."""
        portion: list[Ranked] = []
        start = characters = 0
        # Relevance is not looked at: it may be wrong where only vectors are wanted.
        for row, ranked in enumerate(ranked_of(rows, replace(self.columns, labels=()))):
            portion.append(ranked)
            characters += len(ranked.query) + len(ranked.passage) + sum(map(len, ranked.negatives))
            if len(portion) == _ROWS or characters >= _CHARACTERS:
                yield start, portion
                portion, start, characters = [], row + 1, 0
        if portion or not start:
            yield start, portion

    def _said(self, ranked: Ranked) -> list[str]:
        return [self.prompted(ranked.query, "query")] + [
            self.prompted(text, "passage") for text in (ranked.passage, *ranked.negatives)
        ]

    def prompted(self, text: str, role: Role) -> str:
        """The text as the model reads it."""
        return (self.settings.query_prompt if role == "query" else self.settings.passage_prompt) + text

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """``texts``: int64 (rows, most), a number for every text and role, -1 for none; ``relevance``: float32 (rows,).

        Nothing where the column of relevance is missing.

        Raises:
            UserError: A relevance is no number.
        """
        if not set(self.columns.labels) <= set(rows.column_names):
            return {}
        known: dict[tuple[int, str], int] = {}
        found: list[list[int]] = []
        relevance = np.empty(len(rows), np.float32)
        for row, ranked in enumerate(ranked_of(rows, self.columns)):
            passages = [(PASSAGE, text) for text in (ranked.passage, *ranked.negatives)]
            found.append([known.setdefault(each, len(known)) for each in ((QUERY, ranked.query), *passages)])
            relevance[row] = np.nan if ranked.relevance is None else ranked.relevance
        texts = np.full((len(found), max(map(len, found), default=2)), -1, np.int64)
        for row, numbers in enumerate(found):
            texts[row, : len(numbers)] = numbers
        return {"texts": texts, "relevance": relevance}

    def with_targets(self, tokens: Features, targets: Mapping[str, NDArray[Any]]) -> Features:
        """Every text once, and rows as groups of them; texts of rows without targets stay as they are."""
        if not targets:
            starts = np.flatnonzero(np.diff(tokens.rows, prepend=-1))
            roles = np.full(len(tokens), PASSAGE, np.int64)
            roles[starts] = QUERY
            groups = Groups(np.stack([starts, starts + 1], axis=1), np.full(len(starts), np.nan, np.float32))
            return replace(tokens, targets={"role": roles, "item": np.arange(len(tokens))}, groups=groups)
        texts = targets["texts"]
        there = texts >= 0
        _, first, place = np.unique(texts[there], return_index=True, return_inverse=True)
        once = tokens.take(first)
        items = np.full(texts.shape, -1, np.int64)
        items[there] = place
        roles = np.full(len(once), PASSAGE, np.int64)
        roles[items[:, 0]] = QUERY
        found = {"role": roles, "item": np.arange(len(once))}
        return replace(once, targets=found, groups=Groups(items, targets["relevance"]), table=tokens.table)

    def learned_groups(self, features: Features) -> Features:
        """The same texts with a group for each passage that is asked for.

        Passages that the rows of a query say it does not ask for stand beside each one that it does, up to
        `most_negatives`: those of its own row first.
        """
        groups = features.groups
        assert groups is not None
        wrong: dict[int, list[int]] = {}
        for query, passage in groups.items[groups.relevance == 0, :2].tolist():
            wrong.setdefault(query, []).append(passage)
        positive = groups.relevance > 0
        found = []
        for row in groups.items[positive].tolist():
            others = dict.fromkeys([*(item for item in row[2:] if item >= 0), *wrong.get(row[0], ())])
            found.append([*row[:2], *others][: 2 + self.most_negatives])
        items = np.full((len(found), max(map(len, found), default=2)), -1, np.int64)
        for place, group in enumerate(found):
            items[place, : len(group)] = group
        return replace(features, groups=Groups(items, groups.relevance[positive]))

    def relating(self, features: Features) -> RetrievalTask:
        """The same task that knows what is relevant to what among these items."""
        assert features.groups is not None
        return self._with(relations=Relations.of(features.groups, len(features)))

    # ------------------------------------------------------------ vectors

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """A vector for each text, float32 (items, width), of any length."""
        states = model(**model_inputs(batch)).last_hidden_state
        return pooled(states, batch["attention_mask"], self.settings.pooling)

    def answering(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The same of length 1."""
        import torch

        return torch.nn.functional.normalize(self.forward(model, batch), dim=-1)

    def criterion(self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of the pairs that belong together among the batch's texts, and the number of those pairs.

        With further lengths of vectors it is the mean over the lengths (Kusupati et al. 2022, "Matryoshka
        representation learning", equation 1, with equal weights).
        """
        import torch

        assert self._criterion is not None
        assert self._relations is not None
        asks = batch["role"] == QUERY
        relevance = self._relations.between(batch["item"][asks], batch["item"][~asks])
        lengths = (outputs.shape[1], *self.settings.dimensions)
        losses = []
        for length in lengths:
            vectors = torch.nn.functional.normalize(outputs[:, :length].float(), dim=-1)
            loss, count = self._criterion(self.settings.scale * (vectors[asks] @ vectors[~asks].T), relevance)
            losses.append(loss)
        return torch.stack(losses).sum() / len(lengths), count

    # ------------------------------------------------------------ what is found

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Every text may be learned from; what of is in the groups."""
        return np.ones(len(features), bool)

    def scored_rows(self, features: Features) -> IntArray:
        """The first row of every query that asks for something."""
        return features.rows[self._asking(features)]

    def among(self, outputs: Mapping[str, NDArray[Any]], features: Mapping[str, Features]) -> RetrievalTask:
        """The same task that finds passages of every split.

        Args:
            outputs: Split → what `answering` gave for its texts.
            features: Split → the texts.
        """
        texts: list[str] = []
        vectors = []
        for split, encoded in features.items():
            there = np.flatnonzero(encoded.targets["role"] == PASSAGE)
            written = self.texts_of(encoded)
            texts += [written[item] for item in there]
            vectors.append(outputs[split][there])
        return self._with(candidates=Candidates.of(texts, np.concatenate(vectors)))

    def texts_of(self, features: Features) -> list[str]:
        """The text of every item, without what stands before it."""
        assert features.groups is not None
        assert features.table is not None
        texts = [""] * len(features)
        rows = ranked_of(features.table, replace(self.columns, labels=()))
        for items, ranked in zip(features.groups.items.tolist(), rows, strict=True):
            said = (ranked.query, ranked.passage, *ranked.negatives)
            for item, text in zip(items, said, strict=False):
                texts[item] = text
        return texts

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """The cosine of query and passage for each row; where the passage stands among all, if it is asked for."""
        assert features.groups is not None
        pairs = features.groups.items[:, :2]
        cosines = np.einsum("ij,ij->i", outputs[pairs[:, 0]], outputs[pairs[:, 1]], dtype=np.float64)
        more = self._places(outputs, features) if (features.groups.relevance > 0).any() else {}
        return [Prediction(row, round(float(cosine), 6), more=more.get(row, {})) for row, cosine in enumerate(cosines)]

    def _places(self, outputs: NDArray[Any], features: Features) -> dict[int, dict[str, Any]]:
        """Row of a query → ``rank`` of the first passage that it asks for, if found, and ``first``: what came first."""
        queries, found, relevant, candidates = self._found(outputs, features)
        told = {}
        for query, numbers, known in zip(queries, found.tolist(), relevant, strict=True):
            rank = next((place for place, number in enumerate(numbers, 1) if number in known), None)
            told[int(features.rows[query])] = {"rank": rank, "first": candidates.texts[numbers[0]]}
        return told

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """How relevant the passages are that each query finds, the nearest first; queries in the order of the rows."""
        _, found, relevant, _ = self._found(outputs, features)
        return ranking_outcome(found, relevant)

    def relevant(self, features: Features, candidates: Candidates) -> list[dict[int, float]]:
        """For each query that asks for something: number of a passage among the candidates → relevance."""
        assert features.groups is not None
        texts = self.texts_of(features)
        known: dict[int, dict[int, float]] = {int(query): {} for query in self._asking(features)}
        positive = features.groups.relevance > 0
        values = features.groups.relevance[positive].tolist()
        for (query, passage), relevance in zip(features.groups.items[positive, :2].tolist(), values, strict=True):
            number = candidates.numbers[texts[passage]]
            known[query][number] = max(relevance, known[query].get(number, 0.0))
        return list(known.values())

    def asked(self, features: Features) -> tuple[Candidates, list[str], list[dict[int, float]]]:
        """What can be found, the texts of the queries that ask for something, and what of it each asks for.

        Only where it is known what there is in every split: see `among`.
        """
        assert self._candidates is not None
        texts = self.texts_of(features)
        queries = [texts[item] for item in self._asking(features)]
        return self._candidates, queries, self.relevant(features, self._candidates)

    def candidates(self, outputs: NDArray[Any], features: Features) -> Candidates:
        """What can be found: the passages of every split, or those of the rows at hand."""
        if self._candidates is not None:
            return self._candidates
        return self.among({"here": outputs}, {"here": features}).candidates(outputs, features)

    def _found(
        self, outputs: NDArray[Any], features: Features
    ) -> tuple[IntArray, IntArray, list[dict[int, float]], Candidates]:
        candidates = self.candidates(outputs, features)
        queries = self._asking(features)
        found = candidates.nearest(outputs[queries])
        return queries, found, self.relevant(features, candidates), candidates

    @staticmethod
    def _asking(features: Features) -> IntArray:
        """The queries with a passage that they ask for, in the order of their first rows."""
        assert features.groups is not None
        asking: IntArray = np.unique(features.groups.items[features.groups.relevance > 0, 0])
        return asking
