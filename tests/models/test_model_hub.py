from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import huggingface_hub.constants
import pytest

from supertune import models
from supertune.errors import UserError
from tiny_models import write_tiny_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """A hub on this machine: repositories by name, and every request it was asked.

    ``closed`` holds repositories whose files are refused, with the reason as the real hub writes it; ``lost`` the
    names of files that are listed and not there.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    broken: bool = False
    unknown: int = 404
    unknown_reason: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""


class Handler(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks for: a model's list of files, and the files."""

    protocol_version = "HTTP/1.1"
    hub: ClassVar[Hub]

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        if self.hub.broken:
            return self.answer(503, b"overloaded")
        if self.path.startswith("/api/models/"):
            return self.describe(self.path.removeprefix("/api/models/").partition("?")[0])
        name, _, rest = self.path.lstrip("/").partition("/resolve/")
        return self.send_content(name, rest.partition("/")[2].partition("?")[0])

    def do_HEAD(self) -> None:
        self.do_GET()

    def describe(self, name: str) -> None:
        if name not in self.hub.repositories:
            return self.answer(self.hub.unknown, b"{}", self.hub.unknown_reason)
        siblings = [{"rfilename": file} for file in self.hub.repositories[name]]
        content = {"_id": "1", "id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []}
        return self.answer(200, json.dumps(content).encode())

    def send_content(self, name: str, file: str) -> None:
        if name in self.hub.closed:
            return self.answer(403, b"{}", {"X-Error-Code": self.hub.closed[name]})
        if file in self.hub.lost or file not in self.hub.repositories.get(name, {}):
            return self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        content = self.hub.repositories[name][file]
        tag = hashlib.sha1(content).hexdigest()
        return self.answer(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})

    def answer(self, status: int, content: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or fills, the cache of the person who runs it."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HandlerOfHub", (Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """Content of a whole small model, as a repository would hold it."""
    folder = write_tiny_model(tmp_path / "original")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_model_is_downloaded_and_opened_and_found_again_without_the_hub(
    hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    readme = b"---\nlicense: mit\n---\n"
    unwanted = {
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"print(1)",
        "onnx/model.onnx": b"x",
        "flax.msgpack": b"x",
    }
    hub.repositories["owner/tiny"] = {**files, **unwanted, "README.md": readme}
    source = models.resolve("owner/tiny")
    assert (source.name, source.origin, source.license, source.max_positions) == ("owner/tiny", "hub", "mit", 16)
    assert source.sha256 == hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert {path.name for path in source.folder.iterdir()} == {*files, "README.md"}
    assert COMMIT in source.provenance
    assert hub.endpoint in source.provenance
    assert models.load_tokenizer(source, max_length=16)("好 bad")["input_ids"] == [6, 5]
    assert not any(name in request for name in unwanted for request in hub.requests)
    capfd.readouterr()

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.requests.clear()
    again = models.resolve("owner/tiny")
    assert (again.folder, again.sha256) == (source.folder, source.sha256)
    assert "earlier download" in again.provenance

    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert models.resolve("owner/tiny", offline=True).sha256 == source.sha256
    assert hub.requests == []
    hub.broken = True
    assert models.resolve("owner/tiny").sha256 == source.sha256
    assert hub.requests
    assert capfd.readouterr().err == ""


def test_sharded_model_without_owner_is_downloaded(hub: Hub, files: dict[str, bytes]) -> None:
    weights = files.pop("model.safetensors")
    shard = "model-00001-of-00001.safetensors"
    index = json.dumps({"weight_map": {"embeddings.LayerNorm.bias": shard}}).encode()
    hub.repositories["plain-name"] = {**files, shard: weights, "model.safetensors.index.json": index}
    source = models.resolve("plain-name")
    assert (source.folder / shard).read_bytes() == weights


@pytest.mark.parametrize(("status", "reason"), [(404, {}), (401, {}), (401, {"X-Error-Code": "RepoNotFound"})])
def test_unknown_model_is_told_in_terms_of_what_to_do(hub: Hub, status: int, reason: dict[str, str]) -> None:
    hub.unknown, hub.unknown_reason = status, reason
    with pytest.raises(UserError, match="neither a folder here, nor a registered model, nor a public one") as caught:
        models.resolve("owner/nothing")
    assert caught.value.where == "owner/nothing"
    assert "check the spelling" in str(caught.value.fix)


def test_repository_with_pickle_only_is_refused_before_anything_is_downloaded(
    hub: Hub, files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.repositories["owner/old"] = {**files, "pytorch_model.bin": files["model.safetensors"]}
    del hub.repositories["owner/old"]["model.safetensors"]
    with pytest.raises(UserError, match="a pickle file: opening one can run code") as caught:
        models.resolve("owner/old")
    assert "model.allow_pickle=true" in str(caught.value.fix)
    assert not any("/resolve/" in request for request in hub.requests)
    assert (models.resolve("owner/old", allow_pickle=True).folder / "pytorch_model.bin").is_file()


def test_repository_without_weights_is_refused(hub: Hub, files: dict[str, bytes]) -> None:
    hub.repositories["owner/gguf"] = {"README.md": b"", "model.gguf": b"GGUF"}
    with pytest.raises(UserError, match=r"has no model\.safetensors"):
        models.resolve("owner/gguf")
    hub.repositories["owner/bare"] = {"model.safetensors": files["model.safetensors"]}
    with pytest.raises(UserError, match=r"has no config\.json"):
        models.resolve("owner/bare")


def test_repository_with_code_is_refused_unless_trusted(hub: Hub, files: dict[str, bytes]) -> None:
    config = {**json.loads(files["config.json"]), "auto_map": {"AutoModel": "modeling.Model"}}
    hub.repositories["owner/code"] = {
        **files,
        "config.json": json.dumps(config).encode(),
        "modeling.py": b"raise OSError",
    }
    with pytest.raises(UserError, match="names code"):
        models.resolve("owner/code")
    assert not any("modeling.py" in request for request in hub.requests)
    trusted = models.resolve("owner/code", trust_remote_code=True)
    assert (trusted.folder / "modeling.py").is_file()


def test_gated_model_says_where_to_accept_its_terms(hub: Hub, files: dict[str, bytes]) -> None:
    hub.repositories["owner/gated"] = files
    hub.closed["owner/gated"] = "GatedRepo"
    with pytest.raises(UserError, match="is gated") as caught:
        models.resolve("owner/gated")
    assert f"{hub.endpoint}/owner/gated" in str(caught.value.fix)
    assert "hf auth login" in str(caught.value.fix)


def test_half_a_download_is_not_taken_for_a_model(hub: Hub, files: dict[str, bytes]) -> None:
    hub.repositories["owner/torn"] = files
    hub.lost.add("model.safetensors")
    with pytest.raises(UserError, match=r"nor whole in the hub's cache.*answered with an error \(404\)"):
        models.resolve("owner/torn")
    assert any("config.json" in request for request in hub.requests)
    with pytest.raises(UserError, match=r"nor whole in the hub's cache.*offline"):
        models.resolve("owner/torn", offline=True)

    hub.lost.clear()
    assert models.resolve("owner/torn").origin == "hub"


def test_broken_hub_is_told_at_once(hub: Hub) -> None:
    hub.broken = True
    with pytest.raises(UserError, match=r"answered with an error \(503\)") as caught:
        models.resolve("owner/tiny")
    assert "minilm" in str(caught.value.fix)
    assert len(hub.requests) == 1


def test_server_that_is_no_hub_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "not an address")
    with pytest.raises(UserError, match=r"cannot be reached|does not answer"):
        models.resolve("owner/tiny")


def test_offline_is_honoured_without_a_request(
    hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["owner/tiny"] = files
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="offline") as caught:
        models.resolve("owner/tiny")
    assert "minilm" in str(caught.value.fix)
    assert hub.requests == []


def test_refused_connection_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(UserError, match="cannot be reached") as caught:
            models.resolve("owner/tiny")
    assert "e5-multilingual" in str(caught.value.fix)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_server_that_never_answers_is_given_up(drip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    accepted: list[socket.socket] = []

    def accept(server: socket.socket) -> None:
        connection, _ = server.accept()
        accepted.append(connection)
        connection.sendall(drip)
        # A byte now and then keeps every socket's own time limit from passing.
        while drip and not ended.wait(0.3):
            connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(UserError, match="cannot be reached") as caught:
            models.resolve("owner/tiny")
        assert "minilm" in str(caught.value.fix)
        ended.set()
        thread.join()
        accepted[0].close()


def test_name_that_no_hub_could_have(hub: Hub) -> None:
    with pytest.raises(UserError, match="nor a name that a hub could have"):
        models.resolve("一个/模型")
    assert hub.requests == []
