"""From what the user called a model to a folder that was found and checked."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from supertune.errors import UserError
from supertune.files import explained
from supertune.models import hub
from supertune.models.folder import inspect_folder
from supertune.models.gguf_file import is_gguf
from supertune.models.gguf_model import import_gguf
from supertune.models.source import Entry, ModelSource
from supertune.models.weights import weights_digest


def find_model(
    name: str,
    registry: Mapping[str, Entry],
    *,
    allow_pickle: bool,
    trust_remote_code: bool,
    offline: bool | None,
) -> ModelSource:
    """See `supertune.models.resolve`."""
    if not name.strip():
        raise UserError("no model is named", where="model.name", fix=f"name one: {', '.join(registry)}")
    if name in registry:
        return registry[name].provide(registry[name])
    path = Path(name).expanduser()
    with explained(path):
        is_folder, is_file = path.is_dir(), path.is_file()
    if is_folder:
        return _from_folder(name, path, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
    if is_file:
        return _from_file(name, path)
    _refuse_impossible(name, registry)
    snapshot = hub.fetch(name, offline=offline, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
    facts = inspect_folder(snapshot.folder, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
    came = f"downloaded from {hub.endpoint()}" if snapshot.downloaded else "from an earlier download of the hub"
    return ModelSource(
        name=name,
        folder=snapshot.folder,
        sha256=weights_digest(snapshot.folder),
        license=facts.license,
        provenance=f"{name}, {came}, revision {snapshot.commit}.",
        origin="hub",
        max_positions=facts.max_positions,
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
    )


def _from_file(name: str, path: Path) -> ModelSource:
    if not is_gguf(path):
        raise UserError(
            "is a file, not a model folder",
            where=name,
            fix="name the folder that config.json and the weights are in, or a GGUF file",
        )
    folder, made = import_gguf(path)
    facts = inspect_folder(folder)
    return ModelSource(
        name=name,
        folder=folder,
        sha256=weights_digest(folder),
        license=facts.license,
        provenance=f"The {facts.model_type} model in the file {path.resolve()}. {made}",
        origin="folder",
        max_positions=facts.max_positions,
    )


def _from_folder(name: str, path: Path, *, allow_pickle: bool, trust_remote_code: bool) -> ModelSource:
    facts = inspect_folder(path, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
    folder = path.resolve()
    return ModelSource(
        name=name,
        folder=folder,
        sha256=weights_digest(folder),
        license=facts.license,
        provenance=f"The {facts.model_type} model in the folder {folder}.",
        origin="folder",
        max_positions=facts.max_positions,
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
    )


def _refuse_impossible(name: str, registry: Mapping[str, Entry]) -> None:
    """Say so before any network is asked, where a name can only be a folder that is missing or a slip."""
    separators = {"/", os.sep, "\\"}
    if name.startswith((".", "~", *separators)) or name.endswith(tuple(separators)) or name.count("/") > 1:
        raise UserError("there is no such folder or file", where=name, fix="check the path")
    if "/" in name:
        return
    close = difflib.get_close_matches(name.lower(), registry, n=2, cutoff=0.7)
    if close:
        raise UserError(
            f"is neither a registered model ({', '.join(registry)}) nor a folder here",
            where=name,
            fix=f"did you mean {' or '.join(map(repr, close))}? A hub's model is named owner/name",
        )
