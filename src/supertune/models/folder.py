"""A model in a folder: what must be there, what is refused and why, and what the folder says about itself."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from supertune.errors import UserError
from supertune.files import explained
from supertune.models import weights

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)
UNBOUNDED_POSITIONS = 131_072
"""What is assumed of models with relative positions only, which have no limit of their own."""

_POSITION_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")
# Their position embedding begins with the rows up to the padding id, which no token uses.
_OFFSET_POSITIONS = frozenset(
    {
        "camembert",
        "data2vec-text",
        "esm",
        "ibert",
        "layoutlmv3",
        "lilt",
        "longformer",
        "luke",
        "mluke",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)


@dataclass(frozen=True)
class FolderFacts:
    """What a checked folder says about itself.

    Attributes:
        model_type: The architecture, as transformers calls it.
        max_positions: Most tokens of one text, special tokens included.
        license: As its README says, or ``unknown``.
    """

    model_type: str
    max_positions: int
    license: str


def inspect_folder(folder: Path, *, allow_pickle: bool = False, trust_remote_code: bool = False) -> FolderFacts:
    """Check that a folder holds a whole model that can be opened without running its code.

    Args:
        folder: An existing folder.
        allow_pickle: Accept ``pytorch_model.bin``.
        trust_remote_code: Accept a model that brings code.

    Raises:
        UserError: Something is missing, damaged or refused; names the file and what to do.
    """
    if not (folder / "config.json").is_file():
        raise _no_config(folder)
    config = weights.read_object(folder / "config.json")
    if not trust_remote_code:
        _refuse_code(folder, config)
    model_type = _model_type(folder, config, trust_remote_code)
    _check_weights(folder, allow_pickle)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(
            "has no tokenizer: none of " + ", ".join(TOKENIZER_FILES),
            where=str(folder),
            fix="copy the tokenizer files of the same model into the folder",
        )
    return FolderFacts(model_type, max_positions(config), declared_license(folder))


def max_positions(config: dict[str, Any]) -> int:
    """Most tokens of one text that a model with this ``config.json`` can take, special tokens included."""
    nested = config.get("text_config")
    for content in (config, nested if isinstance(nested, dict) else {}):
        for key in _POSITION_KEYS:
            found = content.get(key)
            if isinstance(found, int) and found > 0:
                unused = 0
                if config.get("model_type") in _OFFSET_POSITIONS:
                    padding = content.get("pad_token_id")
                    unused = (padding if isinstance(padding, int) else 1) + 1
                return found - unused
    return UNBOUNDED_POSITIONS


def declared_license(folder: Path) -> str:
    """The licence named in the first lines of the folder's README, or ``unknown``."""
    readme = folder / "README.md"
    if not readme.is_file():
        return "unknown"
    with explained(readme):
        text = readme.read_text(encoding="utf-8", errors="replace")
    _, opening, rest = text.partition("---\n")
    if not opening or not text.startswith("---\n"):
        return "unknown"
    try:
        header = yaml.safe_load(rest.partition("\n---")[0])
    except yaml.YAMLError:
        return "unknown"
    named = header.get("license") if isinstance(header, dict) else None
    if isinstance(named, list):
        named = ", ".join(map(str, named))
    return str(named) if named else "unknown"


def _no_config(folder: Path) -> UserError:
    """Why a folder without ``config.json`` is not a model, as precisely as its other files tell."""
    where = str(folder)
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        base = weights.read_object(adapter).get("base_model_name_or_path")
        run = folder.parent if (folder.parent / "manifest.json").is_file() else "RUN"
        return UserError(
            f"is a PEFT adapter for the model {base!r}, not a whole model",
            where=where,
            fix=f"supertune merge {run} --out FOLDER, and name that folder; or name the model that it is for",
        )
    with explained(folder):
        inner = sorted(child.parent for child in folder.glob("*/config.json"))
        inner += sorted(child.parent for child in folder.glob("snapshots/*/config.json"))
    if (folder / "model" / "adapter_config.json").is_file():
        return UserError(
            "is a run, not a model, and what it has learned is an adapter",
            where=where,
            fix=f"supertune merge {folder} --out FOLDER, and name that folder",
        )
    if inner and (folder / "manifest.json").is_file():
        return UserError("is a run, not a model", where=where, fix=f"name the model in it: {inner[0]}")
    if inner:
        return UserError("has no config.json", where=where, fix=f"did you mean {inner[0]}?")
    if found := sorted(folder.glob("*.gguf")):
        return UserError(
            "holds GGUF weights; a folder may hold several models of them",
            where=where,
            fix=f"name the file, e.g. {found[0]}; the original model, with config.json and model.safetensors, is exact",
        )
    return UserError(
        "has no config.json: it is not a model folder",
        where=where,
        fix="name a folder with config.json, model.safetensors and the tokenizer's files",
    )


def _refuse_code(folder: Path, config: dict[str, Any]) -> None:
    contents = {"config.json": config}
    if (folder / "tokenizer_config.json").is_file():
        contents["tokenizer_config.json"] = weights.read_object(folder / "tokenizer_config.json")
    for name, content in contents.items():
        if content.get("auto_map"):
            raise UserError(
                "names code that would be run to open the model ('auto_map'), and code can do anything",
                where=str(folder / name),
                fix="use another model; or, if you have read that code and trust it, "
                "--set model.trust_remote_code=true",
            )


def _model_type(folder: Path, config: dict[str, Any], trust_remote_code: bool) -> str:
    from transformers import CONFIG_MAPPING

    where = str(folder / "config.json")
    model_type = config.get("model_type")
    if trust_remote_code and config.get("auto_map"):
        return str(model_type or "remote")
    if not isinstance(model_type, str):
        raise UserError(
            "has no 'model_type'", where=where, fix='add the architecture\'s name, e.g. "model_type": "bert"'
        )
    if model_type not in CONFIG_MAPPING:
        import transformers

        close = difflib.get_close_matches(model_type, list(CONFIG_MAPPING.keys()), n=1)
        raise UserError(
            f"the model_type {model_type!r} is not known to transformers {transformers.__version__}",
            where=where,
            fix=f"did you mean {close[0]!r}?" if close else "use another model, or a newer transformers",
        )
    return model_type


def _check_weights(folder: Path, allow_pickle: bool) -> None:
    """Refuse what could run code, and name what is missing or damaged."""
    files = weights.weight_files(folder)
    for file in files:
        weights.check_safetensors(file)
    if files:
        return
    with explained(folder):
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    pickles = [name for name in names if name.endswith(weights.PICKLE_SUFFIXES) and name != "training_args.bin"]
    others = [name for name in names if name.endswith(".safetensors")]
    if pickles and allow_pickle and weights.weight_files(folder, weights.PICKLE):
        return
    if pickles and not allow_pickle:
        raise UserError(
            f"has its weights only as {pickles[0]}, a pickle file: opening one can run code",
            where=str(folder),
            fix="convert it where you trust it (AutoModel.from_pretrained(…).save_pretrained(…) writes "
            "safetensors), or --set model.allow_pickle=true",
        )
    found = pickles or others
    raise UserError(
        f"has no {weights.SAFETENSORS}" + (f", only {', '.join(found[:3])}" if found else ""),
        where=str(folder),
        fix=f"rename the weights to {weights.SAFETENSORS}" if others else "copy the weights into the folder",
    )
