"""Reranking: how well a passage answers a query, by reading the two together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, Head, IntArray, Outcome, Prediction, Rows
from supertune.errors import UserError
from supertune.relevance import CANDIDATES, Ranked, ranked_of, ranking_outcome
from supertune.tasks.text import TextTask, sequence_head
from supertune.tasks.tokenise import pair_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from supertune.tasks.text import Criterion

USUAL_CANDIDATES = 20
_ROWS = 256
"""Rows whose pairs are tokenised at once: each may have many passages."""
_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""From the model's order alone to one that hardly differs from the words'."""


@dataclass(frozen=True)
class Judged:
    """A query and a passage that are read together.

    Attributes:
        row: The row that they come from.
        query: What is asked.
        passage: What may answer it.
        relevance: How much it does; None where nobody has said.
        own: Whether they are the row's own two texts.
        competes: Whether the passage is one of those that the query's passages are ranked among.
    """

    row: int
    query: str
    passage: str
    relevance: float | None
    own: bool
    competes: bool


class RerankTask(TextTask):
    """Learns to put the passages that a query asks for before others, which something quicker has found.

    Args:
        columns: Query and passage, what is known of them, further passages.
        highest: The highest relevance of the training rows: what is learned are shares of it.
        candidates: Passages that are looked for, for each query that is not learned from.
        words: How much the place at which words have found a passage weighs beside what the model says: see
            `calibrated`.
        criterion: (outputs float (items, 1), shares float32 (items, 1)) → (summed loss, items); only training needs it.
    """

    name = "rerank"
    answers = "reranking"
    primary_metric = "mrr"
    headline = ("mrr", "ndcg@10", "recall@1", "map")

    def __init__(
        self,
        columns: Columns,
        *,
        highest: float = 1.0,
        candidates: int = USUAL_CANDIDATES,
        words: float = 0.0,
        criterion: Criterion | None = None,
    ) -> None:
        super().__init__(columns, criterion)
        self.highest = highest
        self.candidates = candidates
        self.words = words

    @classmethod
    def built(cls, columns: Columns, settings: Mapping[str, Any]) -> RerankTask:
        """See `TextTask.built`."""
        return cls(columns, candidates=settings.get("candidates") or USUAL_CANDIDATES)

    def configured(self) -> dict[str, object]:
        """How many passages are looked for."""
        return {"candidates": self.candidates}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> RerankTask:
        """The task as it was saved by `state`."""
        columns = Columns(
            tuple(state["text"]),
            tuple(state["labels"]),
            pair=True,
            answers="ranking",
            negatives=tuple(state["negatives"]),
        )
        # Runs of the first versions knew no weight of words.
        words = float(state.get("words", 0.0))
        return cls(columns, highest=float(state["highest"]), candidates=int(state["candidates"]), words=words)

    def state(self) -> dict[str, Any]:
        """Columns, the highest relevance, and what the order rests on."""
        known = self.columns
        columns = {"text": list(known.text), "labels": list(known.labels), "negatives": list(known.negatives)}
        return {**columns, "highest": self.highest, "candidates": self.candidates, "words": self.words}

    def _with(self, **changes: Any) -> RerankTask:
        known: dict[str, Any] = {"highest": self.highest, "candidates": self.candidates, "words": self.words}
        return RerankTask(self.columns, **{**known, "criterion": self._criterion, **changes})

    def minimising(self, criterion: Criterion) -> RerankTask:
        """The same task with what its training minimises."""
        return self._with(criterion=criterion)

    def fit_state(self, rows: Rows) -> None:
        """Take the highest relevance from the training rows.

        Raises:
            UserError: No row has a relevance above 0, or every row has: there is nothing to tell apart then.
        """
        known = [judged.relevance for judged in self.judged(rows) if judged.relevance is not None]
        self.highest = max(known, default=0.0)
        if self.highest <= 0:
            raise UserError(
                "no row has a relevance above 0, so that nothing is asked for",
                where=f"column {self.columns.label!r}",
                fix="write 1 for passages that are what the query asks for",
            )
        if min(known) > 0:
            raise UserError(
                "every passage is what its query asks for, so that there is nothing to tell apart",
                where=f"column {self.columns.text[1]!r}",
                fix="leave out task.negatives=none, or add rows with the relevance 0",
            )

    def head(self) -> Head:
        """One output: the logit of being what the query asks for."""
        return sequence_head(["relevant"], "multi_label_classification")

    # ------------------------------------------------------------ rows as pairs

    def judged(self, rows: Rows) -> Iterator[Judged]:
        """Every row's own pair and its query with its further passages, in order.

        A further passage is what the query asks for where any row says so, and else is not. Passages that were looked
        for (`CANDIDATES`) are those that the query's are ranked among; where none were, all that rows name.

        Raises:
            UserError: A relevance is no number.
        """
        wanted: dict[str, dict[str, float]] = {}
        for ranked in ranked_of(rows, self.columns):
            known = wanted.setdefault(ranked.query, {})
            known[ranked.passage] = max(ranked.relevance or 0.0, known.get(ranked.passage, 0.0))
        found = self._found(rows)
        for row, ranked in enumerate(ranked_of(rows, self.columns)):
            yield Judged(row, ranked.query, ranked.passage, ranked.relevance, own=True, competes=not found)
            for text in ranked.negatives:
                relevance = wanted[ranked.query].get(text, 0.0)
                yield Judged(row, ranked.query, text, relevance, own=False, competes=True)

    def _found(self, rows: Rows) -> bool:
        """Whether the passages beside the queries are what words have found, the best first."""
        return CANDIDATES in self.columns.negatives and CANDIDATES in rows.column_names

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """Each pair as one item, the longer side cut; see `judged` for their order."""
        for start, portion in self._portions(rows):
            pairs = [(ranked.query, text) for ranked in portion for text in (ranked.passage, *ranked.negatives)]
            counts = [1 + len(ranked.negatives) for ranked in portion]
            tokens = pair_tokens(pairs, tokenizer, max_length)
            yield replace(tokens, rows=np.repeat(np.arange(start, start + len(portion), dtype=np.int64), counts))

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """How many tokens each row's own pair would need."""
        for _, portion in self._portions(rows):
            pairs = [(ranked.query, ranked.passage) for ranked in portion]
            yield pair_tokens(pairs, tokenizer, None).full_lengths

    def _portions(self, rows: Rows) -> Iterator[tuple[int, list[Ranked]]]:
        portion: list[Ranked] = []
        start = 0
        for row, ranked in enumerate(ranked_of(rows, replace(self.columns, labels=()))):
            portion.append(ranked)
            if len(portion) == _ROWS:
                yield start, portion
                portion, start = [], row + 1
        if portion or not start:
            yield start, portion

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """Of every pair ``labels``: float32 (pairs, 1), its share of the highest relevance, NaN where nobody has said.

        Nothing where the column of relevance is missing.

        Raises:
            UserError: A relevance is no number.
        """
        if not set(self.columns.labels) <= set(rows.column_names):
            return {}
        values = [judged.relevance for judged in self.judged(rows)]
        shares = np.array([np.nan if value is None else value / self.highest for value in values], np.float32)
        return {"labels": np.minimum(shares, 1.0)[:, None]}

    def with_targets(self, tokens: Features, targets: Mapping[str, NDArray[Any]]) -> Features:
        """The pairs with what is to be learned of each."""
        return replace(tokens, targets=dict(targets))

    # ------------------------------------------------------------ what comes first

    def calibrated(self, outputs: NDArray[Any], features: Features) -> RerankTask:
        """The same task with the weight of words under which these rows have the highest mean of 1 ÷ rank.

        A passage's place in what words have found says something of it that a model of few rows has yet to learn, and
        one of many has not quite: the order is that of logit − weight · ln(place), the log-odds of both as if each
        said something new (a prior that falls as a power of the place). Adding what words say is old, of scores though:
        Yang, Zhang and Lin 2019, "Simple applications of BERT for ad hoc document retrieval". Of equally good weights
        it is the middle one. Where the rows name the passages themselves nothing has found them, and where no query
        asks for anything there is nothing to choose by: then the weight is 0.
        """
        found = features.table is not None and self._found(features.table)
        every = self.asked(features) if found else []
        if not every:
            return self._with(words=0.0)
        means = np.array([np.mean([asked.first(outputs, weight) for asked in every]) for weight in _WEIGHTS])
        best = np.flatnonzero(means >= means.max() - 1e-12)
        return self._with(words=_WEIGHTS[best[len(best) // 2]])

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): pairs of which somebody has said whether they belong together."""
        labelled: NDArray[np.bool_] = ~np.isnan(features.targets["labels"][:, 0])
        return labelled

    def scored_rows(self, features: Features) -> IntArray:
        """The first row of every query that asks for something."""
        return np.array([asked.row for asked in self.asked(features)], np.int64)

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """How likely it is that each row's passage is what its query asks for; where the first such stands."""
        own = np.flatnonzero(np.diff(features.rows, prepend=-1))
        shares = 1 / (1 + np.exp(-outputs[own, 0].astype(np.float64)))
        more: dict[int, dict[str, Any]] = {}
        for asked in self.asked(features) if features.targets else ():
            order = asked.order(outputs, self._weight(features))
            ranks = [place for place, number in enumerate(order, 1) if number in asked.relevant]
            first = asked.passages[order[0]] if order else ""
            more[asked.row] = {"rank": ranks[0] if ranks else None, "first": first}
        rows = features.rows[own].tolist()
        return [
            Prediction(row, round(float(share), 6), more=more.get(row, {}))
            for row, share in zip(rows, shares, strict=True)
        ]

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """How relevant the passages are that each query is given, the best first; queries in the order of the rows."""
        every, weight = self.asked(features), self._weight(features)
        orders = padded([asked.order(outputs, weight) for asked in every])
        return ranking_outcome(orders, [asked.relevant for asked in every])

    def alone(self) -> RerankTask:
        """The same task that puts passages in the model's own order."""
        return self._with(words=0.0)

    def _weight(self, features: Features) -> float:
        """What the place of a passage weighs here: nothing where no words have found them."""
        return self.words if features.table is not None and self._found(features.table) else 0.0

    def asked(self, features: Features) -> list[Asked]:
        """Every query that asks for something, with what it is given to choose from."""
        assert features.table is not None
        known: dict[str, Asked] = {}
        for item, judged in enumerate(self.judged(features.table)):
            asked = known.setdefault(judged.query, Asked(judged.query, judged.row, [], [], {}, {}))
            asked.take(item, judged)
        return [asked for asked in known.values() if asked.relevant]


@dataclass(frozen=True)
class Asked:
    """A query and what it is given to choose from.

    Attributes:
        query: What is asked.
        row: The first row that asks it.
        passages: Different passages that compete, in the order in which they were first named.
        items: The pair of each.
        numbers: Passage → its place, those that do not compete among them.
        relevant: Number of a passage that is asked for → relevance; negative for one that does not compete.
    """

    query: str
    row: int
    passages: list[str]
    items: list[int]
    numbers: dict[str, int]
    relevant: dict[int, float]

    def take(self, item: int, judged: Judged) -> None:
        """One more pair."""
        number = self.numbers.get(judged.passage)
        if judged.competes and (number is None or number < 0):
            if number is not None and number in self.relevant:
                self.relevant[len(self.passages)] = self.relevant.pop(number)
            number = self.numbers[judged.passage] = len(self.passages)
            self.passages.append(judged.passage)
            self.items.append(item)
        if number is None:
            # Asked for, and nobody has found it: it counts, and has no place.
            number = self.numbers[judged.passage] = -2 - len(self.numbers)
        if judged.relevance:
            self.relevant[number] = max(judged.relevance, self.relevant.get(number, 0.0))

    def order(self, outputs: NDArray[Any], words: float) -> list[int]:
        """Numbers of the passages, the best first: see `RerankTask.calibrated`."""
        if not self.items:
            return []
        places = np.arange(1, len(self.items) + 1)
        scores = outputs[self.items, 0].astype(np.float64) - words * np.log(places)
        order: list[int] = np.argsort(-scores, kind="stable").tolist()
        return order

    def first(self, outputs: NDArray[Any], words: float) -> float:
        """1 ÷ rank of the first passage that is asked for; 0 where none is among them."""
        ranks = (rank for rank, number in enumerate(self.order(outputs, words), 1) if number in self.relevant)
        return 1 / rank if (rank := next(ranks, None)) else 0.0


def padded(orders: Sequence[Sequence[int]]) -> IntArray:
    """int64 (queries, most): the numbers of each query, -1 where it has fewer."""
    found = np.full((len(orders), max(map(len, orders), default=0)), -1, np.int64)
    for row, order in enumerate(orders):
        found[row, : len(order)] = order
    return found
