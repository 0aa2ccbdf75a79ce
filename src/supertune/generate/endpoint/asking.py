"""One request to an endpoint, and what its answer means: a text, no text, try again, or give up."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.contracts import WrittenText
from supertune.errors import UserError
from supertune.generate.endpoint.settings import EndpointSettings

if TYPE_CHECKING:
    import httpx2

MOST_BYTES = 4 * 1024**2
"""Longest answer that is read: a thousand times what most texts take."""
_PASSING = frozenset({408, 409, 425, 429})
_SAID = 300
"""Characters that are shown of what a server says is wrong."""
_OVER = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
_ENDINGS = {
    "length": "cut off by its length",
    "content_filter": "withheld by the server's filter",
    "tool_calls": "no text but a call of a tool",
    "function_call": "no text but a call of a tool",
}
"""What ended an answer that is not used → why it is not."""


class PassingError(Exception):
    """Asking again may help.

    Args:
        reason: What went wrong, in words that are the same for the same cause.
        wait: Seconds that the server wants to be left alone for.
        charged: The answer may have been written and be charged for, though it did not come.
        unreachable: Nobody is there.
    """

    def __init__(
        self, reason: str, *, wait: float | None = None, charged: bool = False, unreachable: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.wait, self.charged, self.unreachable = reason, wait, charged, unreachable


class RefusedError(Exception):
    """The server refuses this request (4xx): the same one will be refused again."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(reason)
        self.reason, self.said = reason, said


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


def ask(client: httpx2.Client, settings: EndpointSettings, key: str | None, body: Mapping[str, Any]) -> WrittenText:
    """Send one request.

    Raises:
        PassingError: See there; also what came is broken.
        RefusedError: See there.
        UserError: No request can succeed: wrong key, address or model, nothing left to spend, another address.
    """
    answer = _fetched(client, settings, key, body)
    if answer.status == 200:
        return _understood(answer.content)
    said = _said(answer.content, key)
    where = settings.shown
    if 300 <= answer.status < 400:
        target = answer.headers.get("location", "")
        raise UserError(
            f"the server sends on to {_shown(target, key) or 'another address'}, and keys and texts are not sent there",
            where=where,
            fix="give the address that is meant, if you trust it",
        )
    if answer.status in (401, 403):
        what = "no key was sent" if key is None else "it does not accept the key"
        named = settings.key_variable or "SUPERTUNE_WRITER_KEY"
        raise UserError(
            f"the server refuses ({answer.status}): {what}{said}", where=where, fix=f"put a valid key into ${named}"
        )
    if answer.status in (404, 405):
        raise UserError(
            f"there is nothing to be asked there, or no model {settings.model!r} ({answer.status}){said}",
            where=where,
            fix="check the address, which often ends in /v1, and the model's name",
        )
    if answer.status == 402 or (answer.status == 429 and _code(answer.content) in _OVER):
        raise UserError(
            f"the account there has nothing left to spend{said}",
            where=where,
            fix="top it up and give the same command again: what is written is not asked again",
        )
    if answer.status in _PASSING or answer.status >= 500:
        raise PassingError(f"the server answered {answer.status}", wait=_wait(answer.headers))
    raise RefusedError(f"refused by the server ({answer.status})", said)


def _fetched(client: httpx2.Client, settings: EndpointSettings, key: str | None, body: Mapping[str, Any]) -> _Answer:
    import httpx2

    # Compressed answers could be of any size when they are unpacked.
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "supertune"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    latest = time.monotonic() + settings.seconds
    content = bytearray()
    try:
        with client.stream("POST", settings.address, json=dict(body), headers=headers) as response:
            for piece in response.iter_raw():
                content += piece
                if len(content) > MOST_BYTES:
                    raise PassingError("its answer is far too long", charged=True)
                if time.monotonic() > latest:
                    raise PassingError("no answer in time", charged=True)
            return _Answer(response.status_code, response.headers, bytes(content))
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise PassingError(f"it cannot be reached ({_shown(str(error), key)})", unreachable=True) from error
    except httpx2.TimeoutException as error:
        raise PassingError("no answer in time", charged=True) from error
    except httpx2.TransportError as error:
        raise PassingError("the connection broke", charged=True) from error


def _understood(content: bytes) -> WrittenText:
    """What an answer with status 200 says.

    Raises:
        PassingError: It is not what the interface promises.
    """
    try:
        found = json.loads(content)
        choice = found["choices"][0]
        message, ended = choice["message"], choice.get("finish_reason")
        text, refusal = message.get("content"), message.get("refusal")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise PassingError("its answer is none of a chat completion", charged=True) from error
    usage = found.get("usage")
    read, new = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    reason = _ENDINGS.get(ended) if isinstance(ended, str) else None
    if reason is None and (refusal or not isinstance(text, str) or not text.strip()):
        reason = "refused by the model" if refusal else "empty answer"
    if reason is not None:
        return WrittenText(None, reason, read, new)
    # Halves of a character cannot be written to any file.
    return WrittenText(text.encode("utf-8", "replace").decode("utf-8"), None, read, new)


def _count(usage: object, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else 0


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds by a ``Retry-After`` header, which says them or a date."""
    told = headers.get("retry-after", "").strip()
    try:
        return max(float(told), 0.0) if told.replace(".", "", 1).isdigit() else _until(told)
    except (ValueError, OverflowError):
        return None


def _until(told: str) -> float | None:
    if not told:
        return None
    return max(email.utils.parsedate_to_datetime(told).timestamp() - time.time(), 0.0)


def _error(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    error = found.get("error", found) if isinstance(found, dict) else {}
    return error if isinstance(error, dict) else {"message": error}


def _code(content: bytes) -> object:
    error = _error(content)
    code = error.get("code") or error.get("type")
    return code if isinstance(code, str) else None


def _said(content: bytes, key: str | None) -> str:
    """What the server says is wrong, short and without the key, which some servers repeat."""
    error = _error(content)
    message = error.get("message") or error.get("detail")
    return f": {_shown(message, key)}" if isinstance(message, str) and message.strip() else ""


def _shown(text: str, key: str | None) -> str:
    from supertune.console import harmless

    text = harmless(" ".join(text.split()))
    return (text.replace(key, "…") if key else text)[:_SAID]
