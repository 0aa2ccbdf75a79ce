"""How a model makes one vector of a text: what its folder says about it, and saying so in a folder.

The files are those of sentence-transformers (``modules.json``, ``1_Pooling``, ``config_sentence_transformers.json``),
in the form that all its versions since 2.0 read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from supertune.errors import UserError
from supertune.files import explained, read_json, write_json
from supertune.models.source import ModelSource, Pooling, TextEmbedding
from supertune.models.weights import read_object

_POOLING: Mapping[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
_QUERY_PROMPTS = ("query", "s2p_query", "web_search_query")
_PASSAGE_PROMPTS = ("passage", "document", "corpus")
_MODULES = "sentence_transformers.models."


def embedding_of(source: ModelSource, *, looks_back_only: bool) -> TextEmbedding:
    """What is known of the model, else what its folder says, else what its architecture suggests.

    Args:
        source: The model.
        looks_back_only: Whether a token sees only those before it, so that the last one alone has seen the text.

    Raises:
        UserError: The folder says that vectors are made in a way that is not known here.
    """
    if source.embedding is not None:
        return source.embedding
    said = _prompts(source.folder)
    _check_modules(source.folder)
    usual: Pooling = "last" if looks_back_only else "mean"
    return TextEmbedding(
        _pooling(source.folder) or usual,
        next((said[name] for name in _QUERY_PROMPTS if name in said), ""),
        next((said[name] for name in _PASSAGE_PROMPTS if name in said), ""),
    )


def write_embedding(folder: Path, embedding: TextEmbedding, *, width: int, max_length: int) -> None:
    """Beside a model's files in ``folder``, what sentence-transformers needs to make the same vectors.

    Args:
        folder: Holds ``config.json``, or an adapter's.
        embedding: How a vector is made.
        width: Numbers in a vector.
        max_length: Tokens per text, special tokens included.
    """
    names = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"{_MODULES}{name}"}
        for index, (path, name) in enumerate(names)
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    for path, _ in names[1:]:
        (folder / path).mkdir()
    pooling = {name: how == embedding.pooling for name, how in _POOLING.items()}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **pooling})
    prompts = {
        "query": embedding.query_prompt,
        # Some versions know the one name, some the other.
        "passage": embedding.passage_prompt,
        "document": embedding.passage_prompt,
    }
    described = {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    write_json(folder / "config_sentence_transformers.json", described)


def _check_modules(folder: Path) -> None:
    """Refuse what would be left out: a model with one more layer gives other vectors without it."""
    path = folder / "modules.json"
    if not path.is_file():
        return
    with explained(path):
        modules = read_json(path)
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules if isinstance(module, dict)]
    if other := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
        raise UserError(
            f"puts a {other[0]} behind the encoder, which is not known here",
            where=str(path),
            fix="use another model; or, to learn without it, remove it from modules.json",
        )


def _pooling(folder: Path) -> Pooling | None:
    """What the folder says; None where it says nothing.

    Raises:
        UserError: It names another way than those known here, or several.
    """
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return None
    settings = read_object(path)
    named = settings.get("pooling_mode")
    told = [f"pooling_mode_{named}"] if isinstance(named, str) else []
    told += [name for name, value in settings.items() if name.startswith("pooling_mode_") and value is True]
    found = [_POOLING.get(name, _POOLING.get(f"{name}_tokens", _POOLING.get(f"{name}_token"))) for name in told]
    if len(found) != 1 or found[0] is None:
        raise UserError(
            f"pools in a way that is not known here ({', '.join(told) or 'none'})",
            where=str(path),
            fix="choose --set task.pooling=mean, cls or last by what the model was trained with, in a copy of the "
            "folder without this file",
        )
    return found[0]


def _prompts(folder: Path) -> dict[str, str]:
    path = folder / "config_sentence_transformers.json"
    said = read_object(path).get("prompts") if path.is_file() else None
    return {name: text for name, text in said.items() if isinstance(text, str)} if isinstance(said, dict) else {}
