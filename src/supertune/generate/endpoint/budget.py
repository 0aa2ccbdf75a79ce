"""What may be spent on asking: requests, tokens, money. Reserved before it is spent, so that nothing is exceeded."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from supertune.errors import UserError

_TEMPLATE_TOKENS = 64
"""Tokens that a chat template may add around messages, among them a system message of its own."""


@dataclass(frozen=True)
class Prices:
    """What tokens cost, in any currency, per million.

    Attributes:
        prompt: Of what is read.
        new: Of what is written.
    """

    prompt: float
    new: float

    def cost(self, prompt_tokens: int, new_tokens: int) -> float:
        """What so many cost."""
        return (prompt_tokens * self.prompt + new_tokens * self.new) / 1_000_000


@dataclass(frozen=True)
class Limits:
    """Most that may be spent; None is no limit.

    Attributes:
        requests: Requests, those that are repeated among them.
        tokens: Tokens read and written, as the server reports them.
        money: Given ``prices``, in their currency.
        prices: What tokens cost.
    """

    requests: int | None = None
    tokens: int | None = None
    money: float | None = None
    prices: Prices | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            UserError: A number below 0, or money without prices.
        """
        for name in ("requests", "tokens", "money"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UserError(f"{value!r} means nothing here", where=f"budget-{name}", fix="give 0 or more")
        if self.prices and not (self.prices.prompt >= 0 and self.prices.new >= 0):
            raise UserError("prices are not below 0", where="prices", fix="give what a million tokens cost")
        if self.money is not None and self.prices is None:
            raise UserError(
                "nobody knows what tokens cost",
                where="budget-money",
                fix="give the prices of a million tokens read and written, with --prices 0.15,0.60",
            )


class Budget:
    """Counts what is spent, from any thread.

    A request is allowed only if it stays below every limit even where it costs as much as it can: its prompt has at
    most as many tokens as bytes in UTF-8, and its answer as many as are asked for. What it did not cost is free again
    as soon as its answer is there.

    Attributes:
        requests: Sent.
        prompt_tokens: Read, as reported; of answers that report nothing what was reserved.
        new_tokens: Written.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = self.prompt_tokens = self.new_tokens = 0
        self._held: list[tuple[int, int]] = []
        self._free = threading.Condition()

    @property
    def money(self) -> float | None:
        """What the tokens cost; None without prices."""
        prices = self.limits.prices
        return None if prices is None else prices.cost(self.prompt_tokens, self.new_tokens)

    def reserve(self, most_prompt: int, most_new: int, stopped: threading.Event) -> bool:
        """Wait until a request may be sent for certain; False where it never may, or ``stopped``."""
        with self._free:
            while not stopped.is_set():
                if self._allows(most_prompt, most_new):
                    self.requests += 1
                    self._held.append((most_prompt, most_new))
                    return True
                if not self._held:
                    return False
                # What others hold may turn out to be free.
                self._free.wait(0.1)
            return False

    def settle(self, most_prompt: int, most_new: int, prompt_tokens: int, new_tokens: int) -> None:
        """Say what a request cost for which ``most_prompt`` and ``most_new`` were reserved."""
        with self._free:
            self._held.remove((most_prompt, most_new))
            self.prompt_tokens += prompt_tokens
            self.new_tokens += new_tokens
            self._free.notify_all()

    def _allows(self, most_prompt: int, most_new: int) -> bool:
        limits = self.limits
        prompt = self.prompt_tokens + most_prompt + sum(held[0] for held in self._held)
        new = self.new_tokens + most_new + sum(held[1] for held in self._held)
        return (
            (limits.requests is None or self.requests < limits.requests)
            and (limits.tokens is None or prompt + new <= limits.tokens)
            and (limits.money is None or limits.prices is None or limits.prices.cost(prompt, new) <= limits.money)
        )

    def told(self) -> str:
        """What was spent, in a few words."""
        parts = [f"{self.requests:,} requests", f"{self.prompt_tokens + self.new_tokens:,} tokens"]
        return ", ".join(parts + ([] if self.money is None else [f"{self.money:,.4g} spent"]))

    def as_dict(self) -> Mapping[str, float]:
        """What was spent, as JSON."""
        told = {"requests": self.requests, "prompt_tokens": self.prompt_tokens, "new_tokens": self.new_tokens}
        return told if self.money is None else {**told, "money": self.money}


def most_prompt_tokens(system: str, user: str) -> int:
    """More tokens than a prompt of these texts can have: tokenizers cut into bytes at the finest."""
    return len(system.encode()) + len(user.encode()) + _TEMPLATE_TOKENS
