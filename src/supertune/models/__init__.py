"""What we start from: models known by name, safe loading of any other, and their tokenizers.

Nothing heavy is imported before a model is resolved.
"""

from __future__ import annotations

from supertune.models.dropout import override_dropout
from supertune.models.embedded import provide_e5, provide_gemma, provide_minilm
from supertune.models.embedding import embedding_of, write_embedding
from supertune.models.heads import begin_output, load_with_head
from supertune.models.loading import check_body_loaded, load_configuration, quiet_loading
from supertune.models.quantised import (
    Quantization,
    check_quantization,
    compute_in,
    dequantised,
    held_bytes,
    move,
    quantise,
)
from supertune.models.resolving import find_model
from supertune.models.source import Entry, Kind, ModelSource, Pooling, TextEmbedding
from supertune.models.tokenizer import (
    USUAL_MAX_LENGTH,
    USUAL_WRITTEN_LENGTH,
    choose_padding,
    default_max_length,
    load_tokenizer,
    save_tokenizer,
)
from supertune.models.weights import count_parameters, weights_digest

__all__ = [
    "REGISTRY",
    "USUAL_MAX_LENGTH",
    "USUAL_WRITTEN_LENGTH",
    "Entry",
    "Kind",
    "ModelSource",
    "Pooling",
    "Quantization",
    "TextEmbedding",
    "begin_output",
    "check_body_loaded",
    "check_quantization",
    "choose_padding",
    "compute_in",
    "count_parameters",
    "default_max_length",
    "default_model",
    "dequantised",
    "embedding_of",
    "held_bytes",
    "load_configuration",
    "load_tokenizer",
    "load_with_head",
    "move",
    "override_dropout",
    "quantise",
    "quiet_loading",
    "resolve",
    "save_tokenizer",
    "weights_digest",
    "write_embedding",
]

REGISTRY: dict[str, Entry] = {
    "minilm": Entry(
        name="minilm",
        kind="encoder",
        languages=("en",),
        license="Apache-2.0",
        parameters=22_713_216,
        max_positions=512,
        extra="offline",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        advice="Small, quick and good for English texts; the default for them.",
        provide=provide_minilm,
        embedding=TextEmbedding("mean"),
    ),
    "e5-multilingual": Entry(
        name="e5-multilingual",
        kind="encoder",
        languages=("mul",),
        license="MIT",
        parameters=117_653_760,
        max_positions=512,
        extra="offline",
        hub_id="intfloat/multilingual-e5-small",
        advice="For Chinese and about a hundred other languages, or several at once; the default for all but English.",
        provide=provide_e5,
        # Wang et al. 2024, "Multilingual E5 text embeddings", section 2: a temperature of 0.01.
        similarity_scale=100.0,
        # As it was trained, section 2 there.
        embedding=TextEmbedding("mean", "query: ", "passage: "),
    ),
    "gemma-270m": Entry(
        name="gemma-270m",
        kind="decoder",
        languages=("mul",),
        license="Gemma",
        parameters=268_098_176,
        max_positions=32_768,
        extra="bench",
        hub_id="google/gemma-3-270m",
        advice="Writes text; small for that, and the default for it.",
        provide=provide_gemma,
    ),
}


def default_model(language: str, kind: Kind = "encoder") -> str:
    """Name of the model to start from.

    Args:
        language: Of the data, ISO 639-1; ``und`` when unknown.
        kind: ``encoder`` for what reads texts, ``decoder`` for what writes them.
    """
    fitting = [entry for entry in REGISTRY.values() if entry.kind == kind]
    # A model for one language is smaller and better at it than one for a hundred.
    return next((entry.name for entry in fitting if language in entry.languages), fitting[-1].name)


def resolve(
    name_or_path: str,
    *,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    offline: bool | None = None,
) -> ModelSource:
    """Find a model, check that it is whole and safe to open, and say where it comes from.

    A registered name wins over a folder of the same name (write ``./minilm`` for the folder). The network is
    asked only for what can be neither; a name close to a registered one is taken for a slip.

    Args:
        name_or_path: A name in `REGISTRY`, a folder, a GGUF file (of several, any), or a hub id.
        allow_pickle: Accept pickled weights where there are no safetensors.
        trust_remote_code: Accept a model that brings code to be run.
        offline: Never ask a hub; None: as the environment (``HF_HUB_OFFLINE``) says.

    Raises:
        UserError: There is no such model, or it is damaged, incomplete or refused.
        MissingExtraError: The package that brings it is not installed.
    """
    return find_model(
        name_or_path,
        REGISTRY,
        allow_pickle=allow_pickle,
        trust_remote_code=trust_remote_code,
        offline=offline,
    )
