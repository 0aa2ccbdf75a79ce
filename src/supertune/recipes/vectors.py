"""How a model makes one vector of a text."""

from __future__ import annotations

from supertune.models import ModelSource, embedding_of, load_configuration
from supertune.strategies import looks_back_only
from supertune.tasks import EmbeddingSettings


def embedding_settings(source: ModelSource) -> EmbeddingSettings:
    """As it was pre-trained.

    Raises:
        UserError: Its folder names a way that is not known here.
    """
    known = embedding_of(source, looks_back_only=looks_back_only(load_configuration(source)))
    return EmbeddingSettings(known.pooling, known.query_prompt, known.passage_prompt, scale=source.similarity_scale)
