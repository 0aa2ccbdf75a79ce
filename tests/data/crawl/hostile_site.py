"""A site on this machine that does whatever a test tells it to, counts what it was asked for, and can play any name."""

from __future__ import annotations

import http.server
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supertune.console import Console
from supertune.data.crawl import Limits, Pace, Territory
from supertune.data.crawl.extract import extract
from supertune.recipes.crawl import Crawled, Surroundings, crawl

HTML = "text/html; charset=utf-8"
Reply = tuple[int, Mapping[str, str], bytes]
Handler = Callable[["Request"], None]


class Request(http.server.BaseHTTPRequestHandler):
    """One request; `site` is set by the server."""

    site: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.site.note(self)
        handler = self.site.routes.get(self.path)
        if callable(handler):
            handler(self)
        else:
            self.send(*(handler or (404, {"Content-Type": HTML}, b"<p>no such page</p>")))

    def send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@dataclass
class Site:
    """Routes, and what was asked of them."""

    routes: dict[str, Reply | Handler] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request: Request) -> None:
        with self.lock:
            self.asked[request.path] += 1
            self.times.append(time.monotonic())
            self.hosts.append(request.headers["Host"])
            self.agents.add(request.headers["User-Agent"])

    def page(self, path: str, text: str, *links: str, head: str = "", **headers: str) -> None:
        """A page with a text and links."""
        anchors = "".join(f'<nav><a href="{link}">more</a></nav>' for link in links)
        body = f"<html><head>{head}</head><body><main><p>{text}</p></main>{anchors}</body></html>".encode()
        self.routes[path] = (200, {"Content-Type": HTML} | {k.replace("_", "-"): v for k, v in headers.items()}, body)

    def redirect(self, path: str, location: str, status: int = 302) -> None:
        self.routes[path] = (status, {"Location": location}, b"")

    def url(self, path: str = "/", host: str = "site.test") -> str:
        return f"http://{host}:{self.port}{path}"


def trickle(request: Request) -> None:
    """A body that comes, but never to an end."""
    request.send_response(200)
    request.send_header("Content-Type", HTML)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.05)


@contextmanager
def serving(tls: Any = None) -> Iterator[Site]:
    """A site while the block lasts."""
    site = Site()
    handler = type("Handler", (Request,), {"site": site})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # A crawler that hangs up is no error of the server.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def at_home(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def crawled(
    site: Site,
    out: Path,
    *paths: str,
    seeds: Sequence[str] = (),
    resolve: Callable[[str, int], Sequence[str]] = at_home,
    pace: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    surroundings: Mapping[str, Any] | None = None,
    retry: bool = False,
    contact: str | None = None,
    allow_private: Sequence[str] | None = None,
    **territory: Any,
) -> Crawled:
    """A crawl of a site, without waiting longer than a test has to. Text is found in this process."""
    return crawl(
        Territory(
            seeds=tuple(seeds) or tuple(map(site.url, paths or ("/",))),
            allow_private=tuple([f"127.0.0.1:{site.port}"] if allow_private is None else allow_private),
            **territory,
        ),
        out=out,
        pace=Pace(**({"delay": 0.0, "backoff": 0.01} | dict(pace or {}))),
        limits=Limits(**({"seconds": 5.0, "page": 200_000} | dict(limits or {}))),
        contact=contact,
        retry=retry,
        surroundings=Surroundings(**({"resolve": resolve, "extract": extract} | dict(surroundings or {}))),
        console=Console(quiet=True),
    )
