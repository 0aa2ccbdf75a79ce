"""A GGUF file that the user named: imported once into the cache, under a name from its content."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.files import explained, read_json, sha256_bytes, write_text
from supertune.models.gguf_file import GgufFile, split_set
from supertune.models.importing import import_once, imported_folder, is_intact
from supertune.models.weights import file_digest

GGUF_IMPORTER_VERSION = 1
"""Raise it when what is written changes: folders of another version are then no longer used."""

_LONGEST_NAME = 60


def import_gguf(path: Path) -> tuple[Path, str]:
    """Make a plain folder of a GGUF file, or of the splits that it is one of, unless that was done before.

    Returns:
        The folder, and one sentence on what it was made of.

    Raises:
        UserError: A file is damaged, cut off, missing, or of a kind that cannot be imported.
    """
    from supertune.models.gguf_folder import needed_bytes, read_set, stored_as, write_folder

    paths = split_set(path)
    with explained(path):
        digests = {file.name: file_digest(file) for file in paths}
    # The name is for people; nothing else about the file's place matters.
    stem = re.sub(r"[^\w.-]+", "-", paths[0].stem)[:_LONGEST_NAME]
    identity = sha256_bytes(f"{sorted(digests.values())} {GGUF_IMPORTER_VERSION}".encode())
    folder = imported_folder(f"gguf-{stem}", identity)
    if not is_intact(folder):
        files = read_set(paths)

        def write(unfinished: Path) -> dict[str, Any]:
            write_folder(files, unfinished)
            write_text(unfinished / "README.md", _note(files, digests, stored_as(files)))
            said = {**_said(files), "stored": stored_as(files)}
            return {"name": stem, "source": digests, "importer": GGUF_IMPORTER_VERSION, **said}

        import_once(folder, write, needed=needed_bytes(files))
    named = paths[0].name if len(paths) == 1 else f"{len(paths)} files beginning with {paths[0].name}"
    said = read_json(folder / "manifest.json")
    return folder, f"The weights of {named} ({said['forms']}), imported and stored as {said['stored']}."


def _said(files: Sequence[GgufFile]) -> dict[str, Any]:
    from gguf.constants import GGMLQuantizationType

    kinds = sorted({GGMLQuantizationType(tensor.kind).name for file in files for tensor in file.tensors})
    values = files[0].values
    return {
        "architecture": files[0].architecture,
        "forms": ", ".join(kinds),
        "license": str(values.get("general.license") or "unknown"),
        "original": str(values.get("general.base_model.0.repo_url") or values.get("general.name") or "unknown"),
    }


def _note(files: Sequence[GgufFile], digests: dict[str, str], stored: str) -> str:
    said = _said(files)
    listed = "\n".join(f"- `{name}` (SHA-256 {digest})" for name, digest in digests.items())
    return f"""---
license: {json.dumps(said["license"], ensure_ascii=False)}
---
# {said["original"]}, from GGUF

Imported by supertune from:

{listed}

The weights ({said["forms"]}) are stored as the numbers they stand for, in {stored}; where they had been rounded to
fewer bits, the model is close to the original, not equal to it. The tokenizer is rebuilt from the vocabulary in the
file. `manifest.json` lists every file's SHA-256; a folder that does not match is imported again.
"""
