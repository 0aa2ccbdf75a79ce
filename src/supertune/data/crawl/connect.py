"""Connections to the addresses that were checked, and to no others, with a deadline over everything that they do."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2

_SLICE = 0.5
"""Seconds after which a wait looks whether it is to stop."""


class Deadline:
    """When a fetch has to be over, from the first lookup to the last byte, however busily the server trickles.

    Args:
        seconds: From now.
        stop: Ends it before.
    """

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self._until = time.monotonic() + seconds
        self._stop = stop

    def remaining(self) -> float:
        """Seconds that are left, more than 0.

        Raises:
            httpcore2.ReadTimeout: There are none, or all is to stop.
        """
        left = self._until - time.monotonic()
        if left <= 0 or self._stop.is_set():
            raise httpcore2.ReadTimeout("the time allowed for a fetch is over")
        return left


class PinnedBackend(httpcore2.NetworkBackend):
    """Connects to given addresses whatever name is asked for; the name is used for TLS and the Host header alone.

    Args:
        addresses: Those that were checked, in the order in which to try them.
        deadline: For everything.
        patience: Seconds for each attempt to connect.
    """

    def __init__(self, addresses: Sequence[str], deadline: Deadline, patience: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._patience = patience

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """See `httpcore2.NetworkBackend`; ``host`` is not looked up."""
        failure: OSError | None = None
        for address in self._addresses:
            patience = min(self._patience, self._deadline.remaining())
            try:
                # An address in numbers: nothing is resolved here.
                connection = socket.create_connection((address, port), timeout=patience)
            except OSError as error:
                failure = error
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(connection, self._deadline)
        raise httpcore2.ConnectError(str(failure)) from failure


class _Stream(httpcore2.NetworkStream):
    """A socket whose every wait ends at the deadline."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            self._socket.settimeout(min(_SLICE, self._deadline.remaining()))
            try:
                return self._socket.recv(max_bytes)
            except TimeoutError:
                continue
            except OSError as error:
                raise httpcore2.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._socket.settimeout(self._deadline.remaining())
            # Of one fetch: a few hundred bytes.
            self._socket.sendall(buffer)
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            self._socket.settimeout(self._deadline.remaining())
            # Shakes hands under one deadline, and checks the certificate against the name.
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException as error:
            self._socket.close()
            if isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError):
                raise httpcore2.ConnectError(str(error)) from error
            raise
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        if info == "server_addr":
            return self._socket.getpeername()
        return None
