"""How texts are to be written, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from supertune.errors import UserError

Ending = Literal["stop", "string", "length"]
"""A token that stops, a string that stops, or as many tokens as were allowed."""


@dataclass(frozen=True)
class GenerationSettings:
    """How texts are to be written: by default always the likeliest token, so that the same prompt gives the same text.

    Attributes:
        max_new_tokens: Most tokens of one text, what stops it among them.
        stop_ids: Tokens that end a text; None for those that the model's own ``generation_config`` names.
        stop_strings: Strings that end a text, wherever in it they stand and however they are cut into tokens; they and
            what follows them are left out.
        beams: Texts that are followed side by side, to find one that is likelier as a whole (beam search).
        length_penalty: Of beams: the power of the length by which the log-probability is divided; above 0 longer
            texts are favoured.
        temperature: 0 for the likeliest token. Above, tokens are drawn; 1 draws them as likely as the model has them.
        top_p: Draw from the likeliest tokens that have this probability together.
        top_k: Draw from so many of the likeliest tokens; 0 for all.
        repetition_penalty: By which the score of a token is divided that prompt or text have already; 1 for none.
        seed: Of what is drawn. The same seed draws the same texts for the same prompts in batches of the same size.
        too_long: What becomes of a prompt that leaves no room for the answer in the model's window: an error, or its
            beginning is cut (of an encoder's, which is read whole, its end).
        window: Most tokens of prompt and answer together; None for what the model's configuration says.
        most_rows: Most texts that are written side by side.
        use_cache: Whether keys and values are kept. Without, every step reads everything again: for tests.
    """

    max_new_tokens: int = 256
    stop_ids: tuple[int, ...] | None = None
    stop_strings: tuple[str, ...] = ()
    beams: int = 1
    length_penalty: float = 1.0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0
    too_long: Literal["error", "cut"] = "error"
    window: int | None = None
    most_rows: int = 64
    use_cache: bool = True

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            UserError: A number outside its range, an empty stop string, or settings of drawing where nothing is drawn.
        """
        for name in ("max_new_tokens", "beams", "most_rows", "window"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise _wrong(name, value, "give at least 1")
        for name in ("temperature", "top_k", "seed"):
            if not getattr(self, name) >= 0:
                raise _wrong(name, getattr(self, name), "give 0 or more")
        if not 0 < self.top_p <= 1:
            raise _wrong("top_p", self.top_p, "give a probability above 0 and up to 1")
        if not self.repetition_penalty > 0:
            raise _wrong("repetition_penalty", self.repetition_penalty, "give more than 0; 1 is none")
        if "" in self.stop_strings:
            raise _wrong("stop_strings", "", "an empty string stands everywhere: leave it out")
        if not self.temperature and (self.top_p != 1 or self.top_k):
            raise UserError(
                "top_p and top_k say what is drawn from, and at temperature 0 nothing is drawn",
                where="temperature",
                fix="give a temperature above 0, such as 0.7",
            )
        if self.temperature and self.beams > 1:
            raise UserError("beams are not drawn", where="temperature", fix="give either beams or a temperature")


def _wrong(name: str, value: object, fix: str) -> UserError:
    return UserError(f"{value!r} means nothing here", where=name, fix=fix)


@dataclass(frozen=True)
class Generated:
    """A text that a model wrote.

    Attributes:
        ids: int32 (tokens,), the token that stopped it among them, or those of the string that did.
        text: What the tokens say, without what stopped it and without half a character at its end.
        ended: What ended it.
        log_probability: Of all the tokens, by the model itself, in nats: before temperature, penalties and the like.
        cut: Tokens of the prompt that were left out for want of room.
    """

    ids: NDArray[np.int32]
    text: str
    ended: Ending
    log_probability: float
    cut: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens were written."""
        return len(self.ids)
