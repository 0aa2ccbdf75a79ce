"""What the tables of bad inputs are made of: the case, its rows, a tiny model, and ways to damage things."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Materials:
    """What is made once for all cases, and not to be changed by any of them.

    Attributes:
        tiny: Folder of a tiny model.
        run: Folder of a run that trained it.
        silent: Address of a server that takes connections and never answers.
    """

    tiny: Path
    run: Path
    silent: str


Prepare = Callable[[Path, Materials], None]


@dataclass(frozen=True)
class Case:
    """One mistake and what must come of it.

    Attributes:
        name: Names the test.
        arguments: Of ``supertune``, divided at blanks; ``{tiny}`` and ``{run}`` stand for their folders.
        says: What the message must contain: the file or value at fault, and what helps.
        files: Files of the working folder, by name.
        prepare: Makes what ``files`` cannot.
        code: Exit code.
        failed: The run directory that stays, with status ``failed``; None when nothing may be left.
        stdin: What comes in.
        environment: Variables on top of the usual ones.
        disk: KiB of the file system that is mounted at ``disk/``; needs root.
        nobody: Run as a user who owns nothing; needs root.
    """

    name: str
    arguments: str
    says: tuple[str, ...]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Prepare | None = None
    code: int = 2
    failed: str | None = None
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    disk: int | None = None
    nobody: bool = False


def csv(*labels: str, header: str = "text,label", first: int = 0) -> str:
    """One row per label, no text like another."""
    return "".join([f"{header}\n", *(f"{text(number)},{label}\n" for number, label in enumerate(labels, first))])


def text(number: int) -> str:
    """A text that is not like those of other numbers."""
    words = ("parcel", "refund", "colour", "invoice", "button", "Größe", "包裹", "thanks", "why", "never")
    return " ".join(words[int(digit)] for digit in f"{number * 7919 % 10_007:05d}")


ROWS = csv(*("good", "bad") * 30)
OTHER_ROWS = csv(*("good", "bad") * 15, first=100)


def write_tiny_model(folder: Path, *, vocabulary: int | None = None) -> Path:
    """A BERT of two layers and 64 dimensions with a WordPiece tokenizer; about half a megabyte."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = "abcdefghijklmnopqrstuvwxyzöß包裹"
    words = [*special, *letters, *(f"##{letter}" for letter in letters), "parcel", "refund", "thanks"]
    vocab = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=vocabulary or len(words),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def copy_run(folder: Path, materials: Materials) -> Path:
    """A copy of the trained run, as ``run`` in the case's folder."""
    return Path(shutil.copytree(materials.run, folder / "run"))


def copy_model(folder: Path, materials: Materials) -> Path:
    """A copy of the tiny model, as ``model`` in the case's folder."""
    return Path(shutil.copytree(materials.tiny, folder / "model"))


def lacking(copy: Callable[[Path, Materials], Path], name: str) -> Prepare:
    """The copy lacks a file or folder."""

    def prepare(folder: Path, materials: Materials) -> None:
        path = copy(folder, materials) / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return prepare


def with_file(copy: Callable[[Path, Materials], Path], name: str, content: str) -> Prepare:
    """A file of the copy holds something else."""

    def prepare(folder: Path, materials: Materials) -> None:
        (copy(folder, materials) / name).write_text(content, encoding="utf-8")

    return prepare


def with_keys(copy: Callable[[Path, Materials], Path], name: str, **values: object) -> Prepare:
    """A JSON file of the copy has other values."""

    def prepare(folder: Path, materials: Materials) -> None:
        path = copy(folder, materials) / name
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **values}), encoding="utf-8")

    return prepare


def cut_off(copy: Callable[[Path, Materials], Path], name: str) -> Prepare:
    """A file of the copy ends half-way."""

    def prepare(folder: Path, materials: Materials) -> None:
        path = copy(folder, materials) / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return prepare
