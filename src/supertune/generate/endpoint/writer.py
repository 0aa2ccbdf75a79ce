"""Many questions to an endpoint, several side by side, with patience and within a budget."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supertune.contracts import Answered, TextPrompt, WrittenText
from supertune.errors import SupertuneError, UserError
from supertune.generate.endpoint.asking import PassingError, RefusedError, ask
from supertune.generate.endpoint.budget import Budget, Limits, most_prompt_tokens
from supertune.generate.endpoint.settings import EndpointSettings

OVER_BUDGET = "the budget is spent"
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_PATIENCE = 600.0
"""Longest that a server may ask to be left alone for."""
_GRACE = 15.0
"""Seconds that answers which are on their way, and paid for, are waited for after Ctrl-C."""
_IN_A_ROW = 5
"""Questions without an answer, one behind the other, after which it is of no use to go on."""
_Said = tuple[int, WrittenText | SupertuneError]


class EndpointWriter:
    """Asks an OpenAI-compatible endpoint.

    Args:
        settings: Where and how.
        limits: What may be spent.

    Attributes:
        budget: What was spent.
        retries: How often something was asked again.
    """

    instructed = True

    def __init__(self, settings: EndpointSettings, limits: Limits | None = None) -> None:
        self.settings = settings
        self.budget = Budget(limits or Limits())
        self.retries = 0

    @property
    def identity(self) -> Mapping[str, object]:
        """See `TextWriter`."""
        return self.settings.identity

    @property
    def local(self) -> bool:
        """See `TextWriter`."""
        return self.settings.local

    def write(self, prompts: Sequence[TextPrompt], answered: Answered | None = None) -> list[WrittenText]:
        """See `TextWriter`. What the budget does not allow comes back without a text, and may be asked later.

        Ctrl-C waits a moment for answers that are on their way; ``answered`` is told of them before it is raised.

        Raises:
            UserError: The key, address or model is wrong, the server cannot be reached, or gives no more answers.
        """
        if not prompts:
            return []
        asking = _Asking(self, prompts)
        try:
            return asking.answers(answered)
        finally:
            asking.end()


@dataclass
class _Pace:
    """When the next request may go out: a server that asks for patience asks all for it."""

    not_before: float = 0.0

    def wait(self, stopped: threading.Event) -> None:
        """Sleep until then, or until it is ``stopped``."""
        while (left := self.not_before - time.monotonic()) > 0 and not stopped.is_set():
            stopped.wait(min(left, 1.0))


class _Asking:
    """One round of questions: threads that ask, and the one that hears of the answers."""

    def __init__(self, writer: EndpointWriter, prompts: Sequence[TextPrompt]) -> None:
        import httpx2

        self._writer, self._prompts, self._settings = writer, prompts, writer.settings
        self._key = writer.settings.key
        # Proxies of the surroundings are right for what is elsewhere, and wrong for this machine.
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(writer.settings.seconds, connect=min(writer.settings.seconds, 20.0)),
            limits=httpx2.Limits(max_connections=writer.settings.at_once),
            follow_redirects=False,
            trust_env=not writer.settings.local,
        )
        self._waiting = deque(range(len(prompts)))
        self._told: queue.SimpleQueue[_Said] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._pace = _Pace()
        self._lock = threading.Lock()
        self._succeeded, self._failed = False, 0
        count = min(writer.settings.at_once, len(prompts))
        # Not waited for when the program ends: a server may take minutes.
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def answers(self, answered: Answered | None) -> list[WrittenText]:
        found: dict[int, WrittenText] = {}
        for thread in self._threads:
            thread.start()
        try:
            for number, said in self._said(len(self._prompts)):
                if isinstance(said, SupertuneError):
                    raise said
                found[number] = said
                if answered:
                    answered(number, said)
        except BaseException:
            self._stopped.set()
            self._last_words(found, answered)
            raise
        return [found[number] for number in range(len(self._prompts))]

    def end(self) -> None:
        """Let go of everything."""
        self._stopped.set()
        self._client.close()

    def _said(self, count: int) -> Iterator[_Said]:
        """What the threads say, until every question has been dealt with."""
        for _ in range(count):
            while True:
                with contextlib.suppress(queue.Empty):
                    # Python hears Ctrl-C only between waits.
                    yield self._told.get(timeout=0.5)
                    break

    def _last_words(self, found: Mapping[int, WrittenText], answered: Answered | None) -> None:
        """Hand on answers that were on their way when it ended."""
        latest = time.monotonic() + _GRACE
        for thread in self._threads:
            thread.join(max(latest - time.monotonic(), 0.0))
        while answered:
            try:
                number, said = self._told.get_nowait()
            except queue.Empty:
                return
            if isinstance(said, WrittenText) and said.text is not None and number not in found:
                answered(number, said)

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                number = self._waiting.popleft()
            except IndexError:
                return
            try:
                said: WrittenText | SupertuneError = self._one(self._prompts[number])
            except SupertuneError as error:
                said = error
                self._stopped.set()
            except Exception as error:  # noqa: BLE001 - a thread's error has to reach whoever waits
                said = SupertuneError(f"{type(error).__name__}: {error}")
                self._stopped.set()
            self._told.put((number, said))

    def _one(self, prompt: TextPrompt) -> WrittenText:
        """The answer to one question, after as many attempts as it takes."""
        body = self._settings.request(prompt)
        most = most_prompt_tokens(prompt.system, prompt.user), self._settings.most_new
        wait, attempts = _FIRST_WAIT, 0
        while True:
            self._pace.wait(self._stopped)
            if not self._writer.budget.reserve(*most, self._stopped):
                return WrittenText(None, OVER_BUDGET, final=False)
            try:
                return self._sent(body, most)
            except PassingError as error:
                attempts += 1
                if attempts > self._settings.retries or (error.wait or 0) > _PATIENCE:
                    return self._failed_with(error, attempts)
                self._again(error, wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            except RefusedError as error:
                if not self._succeeded:
                    raise UserError(
                        f"{error.reason}{error.said}",
                        where=self._settings.shown,
                        fix="check the model's name and what is sent (--writer-body)",
                    ) from error
                return WrittenText(None, error.reason, final=False)

    def _sent(self, body: Mapping[str, Any], most: tuple[int, int]) -> WrittenText:
        """Ask once, and settle what it cost."""
        spent = 0, 0
        try:
            written = ask(self._client, self._settings, self._key, body)
            # A server that counts nothing may have read and written as much as it was allowed to.
            spent = written.prompt_tokens or most[0], written.new_tokens or most[1]
        except PassingError as error:
            spent = most if error.charged else spent
            raise
        finally:
            self._writer.budget.settle(*most, *spent)
        with self._lock:
            self._succeeded, self._failed = True, 0
        return written

    def _again(self, error: PassingError, wait: float) -> None:
        """Wait before it is asked again: as long as the server says, or longer each time, and not all at once."""
        with self._lock:
            self._writer.retries += 1
        if error.wait is not None:
            self._pace.not_before = max(self._pace.not_before, time.monotonic() + error.wait)
            return
        self._stopped.wait(wait * random.uniform(0.5, 1.0))

    def _failed_with(self, error: PassingError, attempts: int) -> WrittenText:
        """One question less; or the end, where nobody is there or nothing comes any more."""
        with self._lock:
            self._failed += 1
            hopeless = error.unreachable or self._failed >= _IN_A_ROW or (error.wait or 0) > _PATIENCE
        if hopeless:
            tried = f" after {attempts} attempts" if attempts > 1 else ""
            raise UserError(
                f"no answer{tried}: {error.reason}",
                where=self._settings.shown,
                fix="see whether it runs, then give the same command again: what is written is not asked again",
            ) from error
        return WrittenText(None, error.reason, final=False)
