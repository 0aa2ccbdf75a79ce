"""Labels that are probably wrong: texts become vectors, once, and what the labels say is held against them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import LabelErrors, ScoreCache, Table, judge_labels, worth_judging
from supertune.errors import UserError
from supertune.models import default_model
from supertune.recipes.embedder import Embedder, open_embedder

FEW_TOKENS = 100_000
"""Tokens up to which labels are judged without being asked for: half a minute or so on one core. Counted and not
timed, so that the same rows give the same findings on every machine."""
_VECTOR_BYTES = 2 * 1024**3
_AT_ONCE = 512
"""Texts whose vectors are kept together: what is done is not done again after Ctrl-C."""


def find_label_errors(
    splits: Mapping[str, Table],
    columns: Columns,
    *,
    language: str,
    tokens: int,
    wanted: bool | None,
    console: Console,
) -> LabelErrors | None:
    """Judge the labels by the embedded encoder for the language; None where that is not done.

    Args:
        splits: Labelled rows.
        columns: Text and label columns.
        language: Of the texts, ISO 639-1.
        tokens: About how many there are in all.
        wanted: Whether it is asked for; None: where it takes little time.
        console: Where to show progress.

    Raises:
        UserError: It is asked for, and these labels cannot be judged, or there is no encoder.
    """
    if wanted is False:
        return None
    if not worth_judging(splits, columns):
        if wanted:
            raise UserError(
                "wrong labels cannot be told apart here",
                where="--label-errors",
                fix="it takes 50 rows or more, with classes of five texts or more, sets of labels, or numbers",
            )
        return None
    name = default_model(language)
    if wanted is None and tokens > FEW_TOKENS:
        console.say(f"  labels are not judged: {tokens:,} tokens take a while; --label-errors does so")
        return None
    try:
        embedder = open_embedder(name)
    except UserError as error:
        if wanted:
            raise
        console.say(f"  labels are not judged: {error.what}")
        return None
    console.say(f"  labels are judged by {name}, frozen, on rows that its heads have not seen")
    with console.progress("judging labels", 1.0) as bar:
        return judge_labels(splits, columns, KeptVectors(embedder, console), progress=bar)


class KeptVectors:
    """Vectors of texts, as they were kept or made anew."""

    def __init__(self, embedder: Embedder, console: Console) -> None:
        self._embedder, self._console = embedder, console
        self._told = False
        self._cache = ScoreCache(
            console.warn,
            kind="vectors",
            most=_VECTOR_BYTES,
            now="the texts are encoded again",
            later="the next check encodes the texts again",
        )

    def __call__(self, texts: Sequence[str], progress: Callable[[int], None]) -> NDArray[np.float32]:
        """Float32 (texts, width), of length 1 each."""
        width = self._embedder.width
        vectors = np.empty((len(texts), width), np.float32)
        new = 0
        for start in range(0, len(texts), _AT_ONCE):
            some = list(texts[start : start + _AT_ONCE])
            key = self._key(some)
            found = self._cache.find(key, len(some) * width)
            if found is None:
                begun = time.monotonic()
                found = self._embedder.encode(some, "query").reshape(-1)
                self._cache.keep(key, found)
                new += len(some)
                self._estimate(time.monotonic() - begun, len(some), len(texts) - start)
            vectors[start : start + len(some)] = found.reshape(len(some), width)
            progress(start + len(some))
        if new:
            self._cache.tidy()
        return vectors

    def _estimate(self, seconds: float, done: int, left: int) -> None:
        """Say once how long it takes, where that is worth saying."""
        if not self._told and left > done and (more := seconds * (left - done) / done) > 10:
            self._console.say(f"  encoding {left:,} texts takes about {more:,.0f} s more; what is done is kept")
        self._told = True

    def _key(self, texts: Sequence[str]) -> str:
        of = self._embedder
        about = [of.sha256, of.max_length, asdict(of.settings), "query"]
        text = json.dumps([about, list(texts)], ensure_ascii=False, default=repr)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
