"""Texts as vectors, by a model as it was pre-trained or by one that a run has made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features
from supertune.errors import UserError
from supertune.models import (
    default_max_length,
    load_tokenizer,
    load_with_head,
    resolve,
)
from supertune.recipes.encode import after
from supertune.recipes.saved import model_of_run, open_saved, saved_digest
from supertune.recipes.vectors import embedding_settings
from supertune.tasks import EmbeddingSettings, RetrievalTask, Role, text_tokens
from supertune.train import predict_outputs

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_BATCH = 64
_TEXTS = 4096
"""Texts tokenised at once."""


@dataclass(frozen=True)
class Embedder:
    """A model with all that is needed to make vectors of texts.

    Attributes:
        name: What it is called: a registered name, a folder, a hub id or a run.
        sha256: Digest of its weights.
        model: In 32 bits, in evaluation mode.
        tokenizer: Its tokenizer.
        task: How a vector is made.
        max_length: Tokens per text; longer ones are cut.
    """

    name: str
    sha256: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    task: RetrievalTask
    max_length: int

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.model.config.get_text_config().hidden_size)

    @property
    def settings(self) -> EmbeddingSettings:
        """How a vector is made."""
        return self.task.settings

    def encode(
        self, texts: Sequence[str], role: Role, *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Float32 (texts, width), of length 1 each.

        Args:
            texts: What to encode.
            role: ``query`` for what asks, ``passage`` for what is found: some models are told by a prompt.
            progress: Told the number of texts done so far.
        """
        vectors = np.zeros((len(texts), self.width), np.float32)
        for start in range(0, len(texts), _TEXTS):
            features = self._tokens(texts[start : start + _TEXTS], role)
            vectors[start : start + len(features)] = predict_outputs(
                self.model,
                features,
                self.task.answering,
                batch_size=_BATCH,
                padding={"input_ids": int(self.tokenizer.pad_token_id or 0)},
                progress=None if progress is None else after(start, progress),
            )
        return vectors

    def cut(self, texts: Sequence[str], role: Role) -> NDArray[np.bool_]:
        """Bool (texts,): which of them are longer than the model reads here."""
        return self.lengths(texts, role) > self.max_length

    def lengths(self, texts: Sequence[str], role: Role) -> NDArray[np.int64]:
        """Int64 (texts,): tokens that each text has with its prompt and special tokens, those not read among them."""
        parts = [self._tokens(texts[at : at + _TEXTS], role).full_lengths for at in range(0, len(texts), _TEXTS)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _tokens(self, texts: Sequence[str], role: Role) -> Features:
        said = [self.task.prompted(text, role) for text in texts]
        return text_tokens(said, self.tokenizer, self.max_length)


def open_embedder(name: str, *, max_length: int | None = None) -> Embedder:
    """Open a model, or what a run of the task ``retrieval`` has made of one.

    Args:
        name: A registered name, a folder, a hub id, or a run.
        max_length: Tokens per text; None: as the run was trained, else what is usual for the model.

    Raises:
        UserError: There is no such model, the run learned another task, or the model takes fewer tokens.
    """
    run = model_of_run(name)
    if run is not None:
        saved = open_saved(run)
        if not isinstance(saved.task, RetrievalTask):
            raise UserError(
                f"learned {saved.task.name}, and makes no vectors to search by",
                where=name,
                fix="name a run of --task retrieval, or a model such as minilm or e5-multilingual",
            )
        length = saved.max_length if max_length is None else max_length
        return Embedder(name, saved_digest(run, saved), saved.model, saved.tokenizer, saved.task, length)
    source = resolve(name)
    length = default_max_length(source) if max_length is None else max_length
    tokenizer = load_tokenizer(source, max_length=length)
    task = RetrievalTask(Columns(("query", "passage"), pair=True, answers="ranking"), embedding_settings(source))
    model = load_with_head(source, task.head(), pad_token_id=tokenizer.pad_token_id)
    return Embedder(name, source.sha256, model, tokenizer, task, length)
