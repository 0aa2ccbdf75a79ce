"""Lines that become turns of a conversation, and commands among them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from supertune.console import Console, harmless
from supertune.errors import UserError

if TYPE_CHECKING:
    from supertune.recipes.talk import Talk

_COMMAND = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)
_FENCE = '"""'
_HELP = """\
  /reset            forget what was said
  /undo             take the last turn back
  /retry            write the last answer anew
  /system [TEXT]    show or change the system message
  /set NAME VALUE   max-new-tokens, temperature, top-p, top-k, repetition-penalty or seed
  /save FILE        write what was said as JSON Lines, to train on
  /help             this
  /exit             end (Ctrl-D does as well)
  \"\"\"               begins and ends a text of several lines
  //                at the beginning of a text that begins with /
Ctrl-C stops an answer; what was written of it is kept."""
_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "max_new_tokens": int,
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "repetition_penalty": float,
    "seed": int,
}


class Conversing:
    """A conversation with whoever types.

    Args:
        talk: The conversation.
        console: Where all goes that is no answer.
        out: Where answers go.
        people: Whether a person types, who is told what is wrong and goes on; a pipe ends with the error.
    """

    def __init__(self, talk: Talk, console: Console, out: IO[str], *, people: bool) -> None:
        self._talk, self._console, self._out, self._people = talk, console, out, people
        self._before: tuple[str, ...] = ()
        self._commands: Mapping[str, Callable[[str], None]] = {
            "reset": self._reset,
            "undo": self._undo,
            "retry": self._retry,
            "system": self._system,
            "set": self._set,
            "save": self._save,
            "help": self._help,
        }

    def go_on(self, lines: Iterator[str]) -> None:
        """Answer until the lines end, or one says so.

        Raises:
            UserError: Something is wrong with a line of a pipe; it is named.
        """
        self._greet()
        number = 0
        for line in lines:
            number += 1
            try:
                text, more = _whole(line, lines)
                number += more
                if text.strip() in ("/exit", "/quit", "/bye"):
                    return
                if text.strip():
                    self._take(text, lines)
            except UserError as error:
                if not self._people:
                    where = f"line {number}" + (f", {error.where}" if error.where else "")
                    raise UserError(error.what, where=where, fix=error.fix) from error
                self._console.warn(str(error))

    def _greet(self) -> None:
        talk = self._talk
        if self._people:
            self._console.say("/help tells what can be typed; Ctrl-C stops an answer, Ctrl-D ends")
        if talk.plain:
            self._console.say("this model goes on with what is typed")
        elif not talk.together:
            self._console.say(
                "every turn is asked by itself, in the words of the training; what was said before is not known"
            )
        if len(talk.fields) > 1:
            self._console.say(f"for every turn, a line each: {', '.join(talk.fields)}")
        if talk.system and not talk.plain:
            self._console.say(f"system: {talk.system}")

    def _take(self, text: str, lines: Iterator[str]) -> None:
        command = _COMMAND.fullmatch(text.strip())
        if command and not text.startswith("//"):
            name, rest = command.group(1), (command.group(2) or "").strip()
            if name not in self._commands:
                raise UserError(
                    f"there is no command /{name}", fix=f"/help lists them; a text that begins with / as /{text}"
                )
            self._commands[name](rest)
            return
        typed = [text[1:] if text.startswith("//") else text]
        for field in self._talk.fields[1:]:
            if self._people:
                self._console.say(f"{field}:" + (" (nothing for the same as before)" if self._before else ""))
            following = next(lines, None)
            if following is None:
                raise UserError(f"what was typed has no {field}", fix=f"{', '.join(self._talk.fields)}: a line each")
            whole, _ = _whole(following, lines)
            typed.append(whole if whole.strip() or not self._before else self._before[len(typed)])
        self._answer(*typed)

    def _answer(self, *typed: str) -> None:
        self._before = typed
        before = len(self._talk.turns)
        try:
            with contextlib.closing(self._talk.say(*typed)) as pieces:
                for piece in pieces:
                    self._out.write(harmless(piece) if self._out.isatty() else piece)
                    self._out.flush()
        except KeyboardInterrupt:
            if not self._people:
                raise
            self._end_line()
            kept = "what was written is kept" if len(self._talk.turns) > before else "nothing was written"
            self._console.say(f"(stopped; {kept})")
            return
        self._end_line()
        turn = self._talk.turns[-1]
        if self._people and turn.ended == "length":
            self._console.say("(as long as is allowed: /set max-new-tokens N for more)")
        elif self._people and not turn.answer.content.strip():
            self._console.say("(the model says nothing to this)")

    def _end_line(self) -> None:
        self._out.write("\n")
        self._out.flush()

    def _reset(self, _: str) -> None:
        self._talk.reset()
        self._console.say("what was said is forgotten")

    def _undo(self, _: str) -> None:
        taken = self._talk.undo()
        self._console.say("nothing was said yet" if taken is None else f"taken back: {taken.typed[0]}")

    def _retry(self, _: str) -> None:
        taken = self._talk.undo()
        if taken is None:
            raise UserError("nothing was said yet", fix="say something")
        if not self._talk.choices.temperature:
            self._console.say("(the likeliest words again; /set temperature 0.8 draws others)")
        self._answer(*taken.typed)

    def _system(self, text: str) -> None:
        if text:
            self._talk.change(replace(self._talk.choices, system=text))
        self._console.say(f"system: {self._talk.system or '(none)'}")

    def _set(self, rest: str) -> None:
        name, _, value = rest.partition(" ")
        name = name.replace("-", "_")
        if name not in _NUMBERS:
            names = ", ".join(known.replace("_", "-") for known in _NUMBERS)
            raise UserError(f"there is no {name or 'name'} to be set", where="/set", fix=f"one of {names}")
        try:
            number: Any = _NUMBERS[name](value.strip())
        except ValueError as error:
            raise UserError(f"{value.strip()!r} is no number", where=f"/set {name}", fix="give a number") from error
        self._talk.change(replace(self._talk.choices, **{name: number}))
        self._console.say(f"{name.replace('_', '-')}: {number}")

    def _save(self, name: str) -> None:
        from supertune.files import write_jsonl
        from supertune.recipes.predict import refuse_existing

        if not name:
            raise UserError("no file is named", where="/save", fix="/save talk.jsonl")
        path = Path(name).expanduser()
        refuse_existing(path)
        rows = self._talk.rows()
        if not rows:
            raise UserError("nothing was said yet", where="/save", fix="say something")
        count = write_jsonl(path, rows)
        self._console.say(f"{count} {'row' if count == 1 else 'rows'} written to {path}")

    def _help(self, _: str) -> None:
        self._console.say(_HELP)


def _whole(line: str, lines: Iterator[str]) -> tuple[str, int]:
    """A text, with the lines that belong to it if it is of several, and how many those are.

    Raises:
        UserError: It has no end.
    """
    if not line.lstrip().startswith(_FENCE):
        return line, 0
    pieces = [line.lstrip()[len(_FENCE) :]]
    more = 0
    while not pieces[-1].rstrip().endswith(_FENCE):
        following = next(lines, None)
        if following is None:
            raise UserError(f"a text that begins with {_FENCE} has no end", fix=f"end it with {_FENCE}")
        pieces.append(following)
        more += 1
    pieces[-1] = pieces[-1].rstrip()[: -len(_FENCE)]
    return "\n".join(pieces).strip("\n"), more
