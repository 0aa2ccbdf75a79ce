"""Models that read a query and a passage together and give the pair one score: rerankers of ours and of others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns
from supertune.errors import UserError
from supertune.files import sha256_bytes
from supertune.models import ModelSource, load_configuration, load_tokenizer, load_with_head, resolve, weights_digest
from supertune.recipes.saved import model_of_run, open_saved, saved_digest
from supertune.recipes.start import Teacher, check_padding
from supertune.tasks import RerankTask, pair_tokens, tokenizer_fingerprint
from supertune.train import predict_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_TOKENS = 512
"""Tokens of a pair for a model that does not say what it was trained with: what nearly all cross-encoders read."""

_BATCH = 64
"""Pairs computed at once. Never another number: scores differ with it in their last digits."""
_ABOUT_THE_FILE = ("_name_or_path", "transformers_version", "dtype")
_NAME_ONE = "name a run of --task rerank, or the folder or hub id of a cross-encoder with one output (safetensors)"
_HEAD = "ForSequenceClassification"


@dataclass(frozen=True)
class CrossEncoder:
    """A model that scores pairs, with all that is needed to ask it.

    Attributes:
        about: What it is called, and what tells it from others.
        model: In 32 bits, in evaluation mode.
        tokenizer: Its tokenizer.
        task: How a pair is read.
        max_length: Tokens per pair; the longer text of longer ones is cut.
    """

    about: Teacher
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    task: RerankTask
    max_length: int

    def key(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Hex digits that stand for the pairs and everything that their scores depend on."""
        # Where it lies and who opened it change nothing.
        said = {name: value for name, value in self.model.config.to_dict().items() if name not in _ABOUT_THE_FILE}
        how = [self.about.sha256, said, self.max_length, tokenizer_fingerprint(self.tokenizer)]
        return sha256_bytes(json.dumps([*how, list(pairs)], sort_keys=True, default=str).encode())

    def score(
        self, pairs: Sequence[tuple[str, str]], *, progress: Callable[[int], None] | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """Raw scores, float32 (pairs,), the higher the better; and how many pairs are cut.

        Args:
            pairs: Queries with their passages.
            progress: Told the number of pairs done so far.
        """
        features = pair_tokens(pairs, self.tokenizer, self.max_length)
        padding = {"input_ids": int(self.tokenizer.pad_token_id or 0)}
        outputs = predict_outputs(
            self.model, features, self.task.answering, batch_size=_BATCH, padding=padding, progress=progress
        )
        return outputs[:, 0], int((features.full_lengths > self.max_length).sum())


def open_cross_encoder(name: str, *, where: str) -> CrossEncoder:
    """Open a run of the task ``rerank``, or a model of somebody else with one output.

    Weights are read from safetensors and no code is run, whatever is allowed of the model that is trained.

    Args:
        name: A run, a folder, or a hub id.
        where: The configuration key that names it, for messages.

    Raises:
        UserError: There is no such model, it cannot be opened, or it does not give a pair one score.
    """
    helpful = None
    try:
        folder = model_of_run(name)
        if folder is not None:
            return _of_run(name, folder)
        # What helps with a model that is to be trained, another one or a permission, does not help here.
        helpful = _NAME_ONE
        return _of_folder(name)
    except UserError as error:
        at = ", ".join(dict.fromkeys(part for part in (where, name, error.where) if part))
        raise UserError(error.what, where=at, fix=helpful or error.fix or _NAME_ONE) from error


def _of_run(name: str, folder: Path) -> CrossEncoder:
    saved = open_saved(folder)
    if not isinstance(saved.task, RerankTask):
        raise UserError(f"learned {saved.task.name}, and does not score pairs of a query and a passage")
    told = Teacher(name, saved_digest(folder, saved), saved.base.get("license", "unknown"), f"The reranker of {name}.")
    return CrossEncoder(told, saved.model, saved.tokenizer, saved.task, saved.max_length)


def _of_folder(name: str) -> CrossEncoder:
    source = resolve(name)
    _check_one_score(source)
    length = min(MOST_TOKENS, source.max_positions)
    tokenizer = load_tokenizer(source, max_length=length)
    check_padding(tokenizer, source)
    task = RerankTask(Columns(("query", "passage"), pair=True, answers="ranking"))
    model = load_with_head(source, task.head(), pad_token_id=tokenizer.pad_token_id, new=False)
    told = Teacher(name, weights_digest(source.folder), source.license, source.provenance)
    return CrossEncoder(told, model, tokenizer, task, length)


def _check_one_score(source: ModelSource) -> None:
    """Check what the folder says of the model before its weights are read.

    Raises:
        UserError: It is no cross-encoder, or gives several numbers.
    """
    config = load_configuration(source)
    made = config.architectures or []
    if not any(name.endswith(_HEAD) for name in made):
        what = f"is {made[0]}, which" if made else "does not say that it"
        raise UserError(f"{what} gives a pair of texts no score")
    if config.num_labels != 1:
        raise UserError(f"gives a pair {config.num_labels} numbers, and one is needed")
