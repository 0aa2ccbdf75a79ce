"""``supertune chat``: a conversation in the terminal, or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import IO, Annotated

import typer

from supertune.cli import options, writing

RunOrModel = Annotated[
    str, typer.Argument(metavar="RUN", help="Run directory; or a model's name, folder or hub id, as it is untrained.")
]


def chat(
    run: RunOrModel,
    system: writing.System = None,
    max_new_tokens: writing.MaxNewTokens = None,
    temperature: writing.Temperature = None,
    top_p: writing.TopP = None,
    top_k: writing.TopK = None,
    repetition_penalty: writing.Penalty = None,
    seed: writing.DrawSeed = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Talk with a trained model: answers come as they are written, and what was said is kept.

    /help lists what else can be typed. Ctrl-C stops an answer, Ctrl-D ends. Through a pipe every line is a turn.
    """
    from supertune.cli.conversing import Conversing
    from supertune.console import Console, print_json
    from supertune.recipes.talk import Talk, open_writer
    from supertune.recipes.writing_choices import WritingChoices

    console = Console(quiet=quiet)
    choices = WritingChoices(max_new_tokens, temperature, top_p, top_k, repetition_penalty, None, seed, system)
    opened = open_writer(run)
    talk = Talk(opened.saved, choices, console.warn, opened.stop_strings)
    if not opened.trained:
        console.say(f"{run} has not been trained here: it answers as it was published")
    people = sys.stdin.isatty()
    conversing = Conversing(talk, console, sys.stderr if json else sys.stdout, people=people)
    conversing.go_on(_typed(sys.stdin, both=sys.stdout.isatty()) if people else _piped(sys.stdin.buffer))
    if json:
        print_json({"run": run, "messages": talk.messages(), "ended": [turn.ended for turn in talk.turns]})


def _typed(stream: IO[str], *, both: bool) -> Iterator[str]:
    """Lines that a person types, with what the terminal offers to correct them; until Ctrl-D."""
    import contextlib

    if both:
        with contextlib.suppress(ImportError):
            # Its import is what makes lines editable, and those before come back.
            import readline  # noqa: F401
    while True:
        try:
            if both:
                yield input("> ")
                continue
            sys.stderr.write("> ")
            sys.stderr.flush()
            if not (line := stream.readline()):
                return
            yield line.rstrip("\n")
        except EOFError:
            sys.stdout.write("\n")
            return
        except UnicodeDecodeError:
            sys.stderr.write("that is no text in this terminal's encoding\n")
        except KeyboardInterrupt:
            sys.stderr.write("\n(Ctrl-D or /exit ends)\n")


def _piped(stream: IO[bytes]) -> Iterator[str]:
    from supertune.cli.answers import decoded_lines

    return decoded_lines(stream)
