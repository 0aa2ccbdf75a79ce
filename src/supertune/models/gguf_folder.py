"""A plain Hugging Face folder made from GGUF files: weights in 16 or 32 bits, config and tokenizer."""

from __future__ import annotations

import contextlib
import io
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from supertune.errors import UserError
from supertune.models.gguf_file import GgufFile, join_without_vocabulary, read_header
from supertune.models.gguf_rope import settle_positions
from supertune.models.loading import check_body_loaded, quiet_loading
from supertune.models.weights import explained_saving

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

_WIDTHS = {"bfloat16": 2, "float32": 4}
_FINE = ("F16", "F32", "F64")
"""Forms that hold more than bfloat16 does."""

_PROBE = "Two words, 12 numbers\n  and 中文，标点。😀"
_JOINED, _WHOLE = "joined.gguf", "whole.gguf"
_EMBEDDINGS = "token_embd.weight"
_SHARD = "4GB"
_SURPLUS = 200_000_000
"""For the tokenizer and whatever is small."""


def read_set(paths: Sequence[Path]) -> tuple[GgufFile, ...]:
    """The headers of a model's files, checked to belong together and to be of a kind that can be imported.

    Raises:
        UserError: A file is damaged or cut off, or transformers does not know such models.
    """
    files = tuple(read_header(path) for path in paths)
    first, where = files[0], str(files[0].path)
    wanted = first.values.get("split.tensors.count", 0)
    found = sum(len(file.tensors) for file in files)
    if wanted and found != wanted:
        raise UserError(
            f"belongs to a model of {wanted} tensors, but its files hold {found}",
            where=where,
            fix="name the first split, with all others beside it",
        )
    _check_architecture(first, where)
    if not any(tensor.name == _EMBEDDINGS for file in files for tensor in file.tensors):
        raise UserError(
            f"holds no {_EMBEDDINGS}: it is a part of a model, such as an adapter or a projector",
            where=where,
            fix="name the file with the language model itself",
        )
    if "tokenizer.ggml.tokens" not in first.values:
        raise UserError("holds no vocabulary", where=where, fix="get a file of the model that has its tokenizer")
    return files


def _check_architecture(file: GgufFile, where: str) -> None:
    import transformers
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    # Some are called otherwise by llama.cpp than by transformers, which renames them itself.
    renamed = {"qwen2moe", "qwen3moe", "gpt-oss", "minimax-m2"}
    known = ({*GGUF_SUPPORTED_ARCHITECTURES, *_newer()} | renamed) - {"tokenizer", "general"}
    if file.architecture not in known:
        raise UserError(
            f"holds a model of the architecture {file.architecture!r}, which transformers {transformers.__version__} "
            "does not read from GGUF files",
            where=where,
            fix="name the folder or hub id of the original model; known are "
            + ", ".join(sorted(name for name in known if "_" not in name)),
        )


def _newer() -> set[str]:
    """Architectures that transformers reads in its newer way."""
    import transformers.integrations.gguf as known

    opened: Any = known
    return set(opened.GGUF_CONFIG_ARCHS)


def parameters(files: Sequence[GgufFile]) -> int:
    """Number of weights."""
    return sum(math.prod(tensor.shape) for file in files for tensor in file.tensors)


def stored_as(files: Sequence[GgufFile]) -> str:
    """Number type on the disk: 16 bits, unless most weights in the files have more; decision 0027 has why."""
    from gguf.constants import GGMLQuantizationType

    fine = sum(
        math.prod(tensor.shape)
        for file in files
        for tensor in file.tensors
        if GGMLQuantizationType(tensor.kind).name in _FINE
    )
    return "float32" if 2 * fine > parameters(files) else "bfloat16"


def needed_bytes(files: Sequence[GgufFile]) -> int:
    """Most bytes on the disk while `write_folder` writes: the weights unpacked, and a copy of the files."""
    packed = sum(tensor.size for file in files for tensor in file.tensors)
    return parameters(files) * _WIDTHS[stored_as(files)] + packed + _SURPLUS


def write_folder(files: Sequence[GgufFile], folder: Path) -> None:
    """Write ``model.safetensors``, ``config.json`` and the tokenizer's files into an existing folder.

    What transformers makes of the files, as plain weights: with the same versions, the same files give the same bytes.
    Takes the memory of the weights as they are stored, and of the largest matrix about twice in 32 bits.

    Raises:
        UserError: The disk is full, or the files do not hold what they should.
    """
    work = folder / ".work"
    work.mkdir()
    try:
        # Linked into a folder of its own, since transformers prefers a tokenizer.json that lies beside it.
        (work / _WHOLE).symlink_to(files[0].path.resolve())
        model = _open(files, work)
        model.config.save_pretrained(folder)  # what AutoTokenizer goes by
        tokens = _write_tokenizer(work, files[0], folder)
        rows = int(cast(Any, model.get_input_embeddings()).weight.shape[0])
        if tokens > rows:
            raise UserError(
                f"has {tokens:,} tokens, but embeddings for {rows:,} only",
                where=str(files[0].path),
                fix="get the file again",
            )
        with explained_saving(folder), quiet_loading(files[0].path):
            model.save_pretrained(folder, max_shard_size=_SHARD)
    finally:
        shutil.rmtree(work)


def _open(files: Sequence[GgufFile], work: Path) -> PreTrainedModel:
    """The model as plain transformers would have it, in the number type that it is stored in."""
    import torch
    import transformers

    where = str(files[0].path)
    dtype = getattr(torch, stored_as(files))
    rows = next(tensor.shape[0] for file in files for tensor in file.tensors if tensor.name == _EMBEDDINGS)
    # Newer architectures' readers take the vocabulary's size from the number of tokens.
    more = {"tokenizer.ggml.tokens": rows} if files[0].architecture in _newer() else {}
    join_without_vocabulary(files, work / _JOINED, more)
    try:
        # Its reader has a progress bar that nothing switches off.
        with quiet_loading(files[0].path), contextlib.redirect_stderr(io.StringIO()):
            config = transformers.AutoConfig.from_pretrained(work, gguf_file=_JOINED, vocab_size=rows)
            settle_positions(config, files)
            auto_class: Any = (
                transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
            )
            packed, info = auto_class.from_pretrained(
                work,
                config=config,
                gguf_file=_JOINED,
                dtype=dtype,
                quantization_config=transformers.GgufConfig(dequantize=True),
                output_loading_info=True,
            )
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            f"cannot be opened as a model of its architecture ({reason})",
            where=where,
            fix="get the file again, or name the folder or hub id of the original model",
        ) from error
    (work / _JOINED).unlink()
    check_body_loaded(info, (), where=where)
    return _plain(packed, config, dtype)


def _plain(model: PreTrainedModel, config: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """The same weights in a model that nothing says is quantised: such a one refuses to be saved."""
    import torch

    settled = config.to_dict()
    for name in ("quantization_config", "_model_name_or_path", "transformers_version"):
        settled.pop(name, None)
    built: Any = type(model)
    with torch.device("meta"):
        plain = built(type(config).from_dict(settled))
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.config.dtype = dtype
    opened: PreTrainedModel = plain
    return opened


def _write_tokenizer(work: Path, file: GgufFile, folder: Path) -> int:
    """Write the tokenizer that transformers makes of the file; returns how many tokens it has.

    For some architectures (Qwen2) transformers opens whatever a folder holds as the original's class, which normalises
    characters where GGUF files say nothing of it; ``tokenizer.json`` then says so too.

    Raises:
        UserError: It is of a kind that transformers cannot make.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        made = PreTrainedTokenizerFast.from_pretrained(work, gguf_file=_WHOLE)
        for name in ("gguf_file", "is_local", "local_files_only", "name_or_path"):
            made.init_kwargs.pop(name, None)
        length = file.values.get(f"{file.architecture}.context_length")
        if isinstance(length, int):
            made.model_max_length = length
        made.save_pretrained(str(folder))
        opened = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        if type(opened) is not type(made):
            opened.save_pretrained(str(folder))
    # Both libraries raise bare exceptions for what they cannot build.
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            # A full disk or a missing permission is what it is.
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise _no_tokenizer(file, reason) from error
    if opened(_PROBE)["input_ids"] != made(_PROBE)["input_ids"]:
        raise _no_tokenizer(file, f"{type(opened).__name__} reads texts otherwise")
    return len(made)


def _no_tokenizer(file: GgufFile, reason: str) -> UserError:
    return UserError(
        f"has a tokenizer that cannot be rebuilt ({reason})",
        where=str(file.path),
        fix="name the folder or hub id of the original model",
    )
