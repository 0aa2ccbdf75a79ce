"""New rows, made of candidates: each column's text by rules, or all texts of a piece by asking a writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from supertune.contracts import TextWriter
from supertune.data.augment.answers import NotWritten
from supertune.data.augment.augmenter import Augmenter, BatchAugmenter, TextAugmenter
from supertune.data.augment.comparing import LOST, lost
from supertune.data.augment.drawing import draw_of
from supertune.data.augment.kept import normalized
from supertune.data.augment.protection import Protection, entity_spans
from supertune.data.augment.sources import Sources
from supertune.data.augment.writing import Added
from supertune.language import is_missing

if TYPE_CHECKING:
    from supertune.data.augment.pipeline import Candidate

UNCHANGED = "nothing could be changed"
NOTHING_WRITTEN = "nothing was written"
NO_TEXT = "no text"
OTHER_LANGUAGE = "another language"
_TRIES = 3
"""Often a text is the same again because the words that changed places are equal."""


class Maker:
    """Makes new rows; what it makes of a candidate depends on nothing but the candidate.

    Args:
        sources: The rows.
        augmenters: What makes the new ones.
        columns: Of each augmenter the columns that it changes.
        protection: What stays as it is.
        seed: The user's.
        writer: What writes, for augmenters that ask.
    """

    def __init__(
        self,
        sources: Sources,
        augmenters: Sequence[Augmenter],
        columns: Sequence[Sequence[str]],
        protection: Protection,
        seed: int,
        writer: TextWriter | None,
    ) -> None:
        self._sources, self._augmenters, self._columns = sources, augmenters, columns
        self._protection, self._seed, self._writer = protection, seed, writer
        self._demanded = Protection(**(protection.model_dump() | {"negations": False}))

    def make(self, candidates: Sequence[Candidate]) -> list[Added | str]:
        """Of each candidate the new row, or why there is none."""
        made: list[Added | str] = [""] * len(candidates)
        for number, augmenter in enumerate(self._augmenters):
            of = [index for index, candidate in enumerate(candidates) if candidate.augmenter == number]
            pieces = [candidates[index] for index in of]
            if isinstance(augmenter, BatchAugmenter):
                results = self._asked(augmenter, pieces) if pieces else []
            else:
                assert isinstance(augmenter, TextAugmenter)
                results = [self._by_rules(augmenter, candidate) for candidate in pieces]
            for index, result in zip(of, results, strict=True):
                made[index] = result
        return made

    def _by_rules(self, augmenter: TextAugmenter, candidate: Candidate) -> Added | str:
        changed = dict[str, str]()
        reasons = list[str]()
        for name in self._columns[candidate.augmenter]:
            text = self._sources.texts[name][candidate.place]
            if reason := self._unfit(augmenter, text):
                reasons.append(reason)
                continue
            told = None if self._sources.entities is None else self._sources.entities[candidate.place]
            protected = self._protection.spans(text, [] if told is None else entity_spans(text, told))
            draw = draw_of(self._seed, self._sources.keys[candidate.place], augmenter, candidate.copy, name)
            for _ in range(_TRIES):
                new = augmenter.augment(text, draw, protected)
                if new is None:
                    reasons.append(UNCHANGED)
                    break
                if normalized(new) != normalized(text):
                    changed[name] = new
                    break
        return self._added(candidate, changed, reasons)

    def _asked(self, augmenter: BatchAugmenter, candidates: Sequence[Candidate]) -> list[Added | str]:
        assert self._writer is not None
        changed = [dict[str, str]() for _ in candidates]
        reasons = [list[str]() for _ in candidates]
        labels = self._sources.labels
        for name in self._columns[candidates[0].augmenter]:
            texts = [self._sources.texts[name][candidate.place] for candidate in candidates]
            unfit = [self._unfit(augmenter, text) for text in texts]
            of = [index for index, reason in enumerate(unfit) if reason is None]
            chosen = [candidates[index] for index in of]
            written = augmenter.write(
                [texts[index] for index in of],
                [None if labels is None else labels[candidate.place] for candidate in chosen],
                [draw_of(self._seed, self._sources.keys[each.place], augmenter, each.copy, name) for each in chosen],
                self._writer,
                self._sources.examples,
            )
            for index, new in zip(of, written, strict=True):
                if new is None or isinstance(new, NotWritten):
                    reasons[index].append(new.reason if new else NOTHING_WRITTEN)
                elif augmenter.rewrites and lost(texts[index], self._kept(candidates[index], texts[index]), new):
                    reasons[index].append(LOST.reason)
                else:
                    changed[index][name] = new
            for index, reason in enumerate(unfit):
                if reason is not None:
                    reasons[index].append(reason)
        return [
            self._added(candidate, new, why) for candidate, new, why in zip(candidates, changed, reasons, strict=True)
        ]

    def _kept(self, candidate: Candidate, text: str) -> Sequence[tuple[int, int]]:
        """What has to be in a text that stands for another: all that is protected but words, which others can say."""
        told = None if self._sources.entities is None else self._sources.entities[candidate.place]
        return self._demanded.spans(text, [] if told is None else entity_spans(text, told))

    def _unfit(self, augmenter: Augmenter, text: object) -> str | None:
        if not isinstance(text, str) or is_missing(text):
            return NO_TEXT
        if augmenter.languages and self._sources.language_of(text) not in augmenter.languages:
            return OTHER_LANGUAGE
        return None

    def _added(self, candidate: Candidate, changed: dict[str, str], reasons: Sequence[str]) -> Added | str:
        if not changed:
            return reasons[0] if reasons else UNCHANGED
        return Added(candidate.place, candidate.augmenter, candidate.copy, changed)
