"""Where an OpenAI-compatible endpoint is and how it is asked."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supertune.contracts import TextPrompt
from supertune.errors import UserError

KEY_VARIABLE = "SUPERTUNE_WRITER_KEY"
"""Environment variable with the key, unless another is named."""
_ROUTE = "/chat/completions"
_NOT_IN_BODY = ("messages", "model", "stream", "n")


@dataclass(frozen=True)
class EndpointSettings:
    """An endpoint, a model there, and how it is asked.

    Attributes:
        url: Base address, such as ``https://api.openai.com/v1`` or ``http://localhost:8000/v1``; or the whole address
            of its ``chat/completions``.
        model: The model's name there.
        key_variable: Environment variable that holds the key; None for `KEY_VARIABLE` where it is set.
        temperature: Of the draw.
        top_p: Draw from the likeliest tokens that have this probability together; 1 is not sent.
        max_new_tokens: Most tokens of an answer.
        send_seed: Send the seed of each question. Some servers refuse it, and few promise the same answer for it.
        body: More of the request's body, such as ``{"top_k": 20}``; null leaves a field out that is sent usually
            (``{"max_tokens": null, "max_completion_tokens": 500}``).
        at_once: Most requests side by side.
        seconds: Longest wait for a whole answer.
        retries: How often the same is asked again after a passing error.
    """

    url: str
    model: str
    key_variable: str | None = None
    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 1024
    send_seed: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)
    at_once: int = 4
    seconds: float = 120.0
    retries: int = 5

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            UserError: The address is none, holds a password, or a number is outside its range.
        """
        import httpx2

        try:
            url = httpx2.URL(self.url)
        except (httpx2.InvalidURL, TypeError) as error:
            raise _no_address() from error
        if url.scheme not in ("http", "https") or not url.host:
            raise _no_address()
        if url.userinfo:
            raise UserError(
                "the address holds a name or password", where="writer", fix=f"put the key into ${KEY_VARIABLE}"
            )
        if not self.model.strip():
            raise UserError("the endpoint's model has no name", where="writer", fix="name it, with --writer-model")
        for name, least in (("at_once", 1), ("max_new_tokens", 1), ("retries", 0), ("temperature", 0)):
            if not getattr(self, name) >= least:
                raise UserError(f"{getattr(self, name)!r} means nothing here", where=name, fix=f"give at least {least}")
        if not self.seconds > 0:
            raise UserError(f"{self.seconds!r} means nothing here", where="seconds", fix="give more than 0")
        if not 0 < self.top_p <= 1:
            raise UserError(f"{self.top_p!r} means nothing here", where="top_p", fix="give more than 0 and up to 1")
        if taken := [name for name in _NOT_IN_BODY if name in self.body]:
            raise UserError(f"{taken[0]!r} is not to be changed", where="body", fix="leave it out")

    @property
    def address(self) -> str:
        """Where requests go."""
        import httpx2

        url = httpx2.URL(self.url)
        path = url.path.rstrip("/")
        return str(url.copy_with(path=path if path.endswith(_ROUTE) else path + _ROUTE, fragment=None))

    @property
    def shown(self) -> str:
        """The address without its query, in which some services expect keys."""
        return re.split(r"[?#]", self.address)[0]

    @property
    def local(self) -> bool:
        """Whether the address is this machine's own: ``localhost`` and loopback addresses, no others."""
        import httpx2

        host = httpx2.URL(self.url).host
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def key(self) -> str | None:
        """The key, read anew each time; None where there is none.

        Raises:
            UserError: The variable that was named is not set, or holds what no header can.
        """
        name = self.key_variable or KEY_VARIABLE
        key = os.environ.get(name, "").strip()
        if not key and self.key_variable:
            raise UserError(f"the environment variable {name} is not set", where="writer", fix=f"export {name}=…")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise UserError(f"the environment variable {name} holds no key", where="writer", fix="copy the key again")
        return key or None

    @property
    def most_new(self) -> int:
        """Most tokens of an answer, as the body says it."""
        named = [self.body.get(name) for name in ("max_completion_tokens", "max_tokens")]
        return max((value for value in named if isinstance(value, int)), default=self.max_new_tokens)

    @property
    def identity(self) -> dict[str, object]:
        """All that decides what is written there."""
        return {
            "endpoint": self.shown,
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_new_tokens,
            "send_seed": self.send_seed,
            "body": dict(self.body),
        }

    def request(self, prompt: TextPrompt) -> dict[str, Any]:
        """The body of a request."""
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [*messages, {"role": "user", "content": prompt.user}],
            "temperature": self.temperature,
            "max_tokens": self.max_new_tokens,
        }
        if self.top_p != 1:
            body["top_p"] = self.top_p
        if self.send_seed:
            body["seed"] = prompt.seed % 2**31
        return {name: value for name, value in (body | dict(self.body)).items() if value is not None}


def _no_address() -> UserError:
    return UserError(
        "this is no address of an endpoint",
        where="writer",
        fix="write it as http://localhost:8000/v1 or https://host.example/v1",
    )
