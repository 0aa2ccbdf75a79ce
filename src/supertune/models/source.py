"""What the room hands out: a model that is known by name, and one that was found, checked and is ready to open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["encoder", "decoder"]
Origin = Literal["embedded", "folder", "hub"]
Pooling = Literal["mean", "cls", "last"]


SIMILARITY_SCALE = 20.0
"""That of sentence-transformers' multiple-negatives ranking loss, by which all-MiniLM and most others were trained."""


@dataclass(frozen=True)
class TextEmbedding:
    """How a model makes one vector of a text.

    Attributes:
        pooling: Of the tokens' vectors: their ``mean``, the first (``cls``), or the ``last``.
        query_prompt: What stands before a text that asks.
        passage_prompt: What stands before a text that is found.
    """

    pooling: Pooling = "mean"
    query_prompt: str = ""
    passage_prompt: str = ""


@dataclass(frozen=True)
class ModelSource:
    """A model that was found and checked: a folder that plain transformers opens, and where it comes from.

    Attributes:
        name: What the user called it: a registered name, a folder, a GGUF file or a hub id.
        folder: The folder with config, weights and tokenizer.
        sha256: Digest of the weights as `supertune.models.weights_digest` computes it.
        license: SPDX-like identifier, or ``unknown``.
        provenance: One sentence for the report: what was used and where it came from.
        origin: Whether it came with a package, from a folder or file, or from a hub.
        max_positions: Most tokens of one text that it can take, special tokens included.
        trust_remote_code: True when the user asked for the code beside the weights to be run.
        allow_pickle: True when the user asked for pickled weights to be read.
        similarity_scale: See `Entry`; that of most sentence encoders where nothing is known.
        embedding: How it makes one vector of a text, where that is known beside what its folder says.
    """

    name: str
    folder: Path
    sha256: str
    license: str
    provenance: str
    origin: Origin
    max_positions: int
    trust_remote_code: bool = False
    allow_pickle: bool = False
    similarity_scale: float = SIMILARITY_SCALE
    embedding: TextEmbedding | None = None


@dataclass(frozen=True)
class Entry:
    """A model that is known by name.

    Attributes:
        name: The name to type.
        kind: ``encoder`` reads a text at once; ``decoder`` continues it.
        languages: ISO 639-1 codes it was trained for; ``mul`` for about a hundred.
        license: SPDX-like identifier.
        parameters: Number of weights.
        max_positions: Most tokens of one text, special tokens included.
        extra: The extra of supertune that brings it.
        hub_id: The original on the Hugging Face hub.
        advice: One sentence: when to use it.
        provide: Finds it on this machine, importing it first where needed.
        similarity_scale: What cosines of its vectors were multiplied by before the softmax that it learned from: how
            far apart they are for it.
        embedding: How it makes one vector of a text.
    """

    name: str
    kind: Kind
    languages: tuple[str, ...]
    license: str
    parameters: int
    max_positions: int
    extra: str
    hub_id: str
    advice: str
    provide: Callable[[Entry], ModelSource]
    similarity_scale: float = SIMILARITY_SCALE
    embedding: TextEmbedding | None = None
