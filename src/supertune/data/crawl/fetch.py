"""One request: looked up, checked, sent to exactly that address, read within limits. Redirects are not followed."""

from __future__ import annotations

import contextlib
import email.utils
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass

import httpcore2

from supertune.data.crawl.addresses import Permission, Resolver, checked_addresses
from supertune.data.crawl.connect import Deadline, PinnedBackend
from supertune.data.crawl.problems import Problem
from supertune.data.crawl.settings import Limits
from supertune.data.crawl.unpack import ACCEPTED, Unpacker
from supertune.data.crawl.urls import Url

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Attributes:
        status: HTTP status.
        headers: Lower-case name → value; of repeated ones all, with commas between.
        body: Unpacked; empty unless the status is 200.
        address: What was connected to.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    address: str

    @property
    def redirect(self) -> str | None:
        """Where it sends us, as it says it; None if it does not."""
        return self.headers.get("location", "") if self.status in _REDIRECTS else None

    @property
    def content_type(self) -> str:
        """Media type in lower case, without parameters; empty if none is given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Fetcher:
    """Fetches URLs; several threads may.

    Args:
        agent: The User-Agent header.
        resolve: Looks names up.
        allowed: Addresses that are allowed although they are not public.
        limits: See there.
        tls: What certificates are trusted; None for what the system trusts.
        stop: Ends every fetch within a second.
    """

    def __init__(
        self,
        *,
        agent: str,
        resolve: Resolver,
        allowed: Sequence[Permission],
        limits: Limits,
        tls: ssl.SSLContext | None,
        stop: threading.Event,
    ) -> None:
        self._agent = agent
        self._resolve = resolve
        self._allowed = tuple(allowed)
        self._limits = limits
        self._tls = tls or trusted()
        self._stop = stop

    def get(
        self, url: Url, *, largest: int, wants: Callable[[Answer], None] | None = None, cut: bool = False, accept: str
    ) -> Answer:
        """What is at a URL.

        Args:
            url: What to ask for.
            largest: Bytes of the body, unpacked.
            wants: Looks at status and headers before the body is read; raises `Problem` to leave it.
            cut: Take the first ``largest`` bytes of a longer body instead of refusing it.
            accept: The Accept header.

        Raises:
            Problem: ``address``, ``dns``, ``tls``, ``network``, ``slow``, ``status``, ``too-large``,
                ``content-encoding``, or what ``wants`` raised.
        """
        deadline = Deadline(self._limits.seconds, self._stop)
        try:
            addresses = self._look_up(url, deadline)
            with self._answer(url, addresses, deadline, accept) as response:
                return self._read(response, largest, wants, cut, addresses[0])
        except httpcore2.TimeoutException as error:
            raise Problem("slow", f"took longer than {self._limits.seconds:g} s", temporary=True) from error
        except ssl.SSLError as error:
            raise Problem("tls", f"{error}") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise Problem("network", f"{error or type(error).__name__}", temporary=True) from error

    def _look_up(self, url: Url, deadline: Deadline) -> tuple[str, ...]:
        """Addresses of the host; a lookup that takes too long is left to itself."""
        found: Future[tuple[str, ...]] = Future()

        def look_up() -> None:
            try:
                found.set_result(checked_addresses(url.host, url.port, self._resolve, self._allowed))
            except BaseException as error:  # noqa: BLE001 - comes out in the thread that waits
                found.set_exception(error)

        threading.Thread(target=look_up, daemon=True).start()
        while True:
            with contextlib.suppress(NotInTime):
                return found.result(timeout=min(0.5, deadline.remaining()))

    @contextlib.contextmanager
    def _answer(
        self, url: Url, addresses: Sequence[str], deadline: Deadline, accept: str
    ) -> Iterator[httpcore2.Response]:
        host = url.host.encode("ascii")
        connection = httpcore2.HTTPConnection(
            httpcore2.Origin(url.scheme.encode(), host, url.port),
            ssl_context=self._tls,
            network_backend=PinnedBackend(addresses, deadline, self._limits.connecting),
        )
        headers = [
            ("Host", url.authority),
            ("User-Agent", self._agent),
            ("Accept", accept),
            ("Accept-Encoding", ACCEPTED),
            ("Connection", "close"),
        ]
        request = httpcore2.Request(
            "GET", httpcore2.URL(scheme=url.scheme, host=host, port=url.port, target=url.target), headers=headers
        )
        try:
            response = connection.handle_request(request)
            try:
                yield response
            finally:
                response.close()
        finally:
            connection.close()

    def _read(
        self,
        response: httpcore2.Response,
        largest: int,
        wants: Callable[[Answer], None] | None,
        cut: bool,
        address: str,
    ) -> Answer:
        answer = Answer(response.status, _headers(response), b"", address)
        if answer.status in _PASSING:
            after = _retry_after(answer.headers.get("retry-after", ""))
            raise Problem("status", f"status {answer.status}", temporary=True, retry_after=after)
        if answer.status != 200 and answer.redirect is None:
            raise Problem("status", f"status {answer.status}")
        if answer.redirect is not None:
            return answer
        if wants:
            wants(answer)
        length = answer.headers.get("content-length", "")
        if length.isdecimal() and int(length) > largest and not cut:
            raise Problem("too-large", f"{int(length):,} bytes, more than {largest:,}")
        unpacker = Unpacker(answer.headers.get("content-encoding", ""), largest)
        received = 0
        for piece in response.iter_stream():
            received += len(piece)
            if cut and received > largest:
                unpacker.feed(piece[: len(piece) - (received - largest)])
                break
            if received > largest:
                # Also of what is packed: padding behind it costs as much as what is in it.
                raise Problem("too-large", f"more than {largest:,} bytes")
            unpacker.feed(piece)
        return Answer(answer.status, answer.headers, unpacker.body(), address)


def trusted() -> ssl.SSLContext:
    """TLS with the certificates that the system trusts, or those of certifi where it has none."""
    context = ssl.create_default_context()
    if not context.get_ca_certs() and not context.cert_store_stats()["x509_ca"]:
        with contextlib.suppress(ImportError):
            import certifi

            context.load_verify_locations(certifi.where())
    return context


def _headers(response: httpcore2.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw, content in response.headers:
        name, value = raw.decode("latin-1").lower(), content.decode("latin-1").strip()
        if name == "location":
            # Bytes beyond ASCII are sent back as they are: nobody says which characters they are.
            value = "".join(each if each.isascii() else f"%{ord(each):02X}" for each in value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _retry_after(value: str) -> float | None:
    """Seconds from now, of a number or a date; None for anything else."""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
