"""A server that plays an OpenAI-compatible endpoint, well and badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What the server sends.

    Attributes:
        status: Of HTTP.
        body: JSON, or bytes as they are.
        headers: More of them.
        seconds: Waited before anything is sent.
        drip: Seconds between single bytes.
    """

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drip: float = 0.0


def said(text: str | None, ended: str = "stop", *, read: int = 10, new: int = 5, **message: Any) -> dict[str, Any]:
    """The body of an answer."""
    return {
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": ended}],
        "usage": {"prompt_tokens": read, "completion_tokens": new},
    }


Play = Callable[[dict[str, Any], int], Reply]
"""From the body of a request and its number to what is sent."""


def echo(body: dict[str, Any], number: int) -> Reply:
    """The user's text in upper case."""
    return Reply(body=said(str(body["messages"][-1]["content"]).upper()))


@dataclass
class ChatServer:
    """A server that is running.

    Attributes:
        url: Its base address.
        requests: Headers and bodies that came, in order.
        most: Most that came side by side.
    """

    url: str
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    most: int = 0
    paths: list[str] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """What users said."""
        return [body["messages"][-1]["content"] for _, body in self.requests]


@contextmanager
def serving(play: Play = echo, key: str | None = None) -> Iterator[ChatServer]:
    """A server on a free port of this machine while the block lasts."""
    lock, live = threading.Lock(), [0]
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                number = len(server.requests)
                server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                server.paths.append(self.path)
                live[0] += 1
                server.most = max(server.most, live[0])
            try:
                if key is not None and self.headers["authorization"] != f"Bearer {key}":
                    given = self.headers["authorization"]
                    self._send(Reply(401, {"error": {"message": f"bad key {given}", "code": "invalid_api_key"}}))
                else:
                    self._send(play(body, number))
            except OSError:
                pass
            finally:
                with lock:
                    live[0] -= 1

        def _send(self, reply: Reply) -> None:
            stopped.wait(reply.seconds)
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if not reply.drip:
                self.wfile.write(content)
                return
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(reply.drip)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = ChatServer(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stopped.set()
        http.shutdown()
        http.server_close()
