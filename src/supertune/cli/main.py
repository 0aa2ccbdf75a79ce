"""Entry point: commands, exit codes, and what becomes of an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from supertune.cli import (
    augment,
    chat,
    check,
    clean,
    compare,
    crawl,
    crossval,
    data,
    demo,
    index,
    inspect,
    merge,
    models,
    predict,
    resume,
    retrieve,
    runs,
    split,
    train,
    zero_shot,
)
from supertune.errors import SupertuneError

_INTERRUPTED = 130

app = typer.Typer(
    name="supertune",
    help="From raw text to a fine-tuned language model you can trust, and honest numbers on how good it is.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("crawl")(crawl.crawl)
app.command("clean")(clean.clean)
app.command("split")(split.split)
app.command("augment")(augment.augment)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("crossval")(crossval.crossval)
app.command("compare")(compare.compare)
app.command("resume")(resume.resume)
app.command("evaluate")(predict.evaluate)
app.command("predict")(predict.predict)
app.command("chat")(chat.chat)
app.command("zero-shot")(zero_shot.zero_shot)
app.command("index")(index.index)
app.command("retrieve")(retrieve.retrieve)
app.command("merge")(merge.merge)
app.command("inspect")(inspect.inspect)
app.command("models")(models.models)
app.command("runs")(runs.runs)
app.command("show")(runs.show)


def _version(wanted: bool) -> None:
    if wanted:
        import supertune

        typer.echo(f"supertune {supertune.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """From raw text to a fine-tuned language model you can trust, and honest numbers on how good it is."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of DESIGN: 0, 2 input, 3 gate, 130 interrupted, 1 a bug."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    # Libraries below draw their own progress bars and advice; supertune has its own.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        code = app(arguments, standalone_mode=False, prog_name="supertune")
        if code == _INTERRUPTED:
            # Typer makes a code of Ctrl-C, without a word.
            _complain("interrupted")
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        _complain(
            f"{error.format_message()}\n  → supertune --help lists the commands, supertune COMMAND --help its options"
        )
        return 2
    except SupertuneError as error:
        _complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) went away: that is not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort: a bug becomes a short message and a saved report
        _complain(f"a bug in supertune: {type(error).__name__}: {error}\n  → {_crash_report(arguments)}")
        return 1


def _complain(message: str) -> None:
    sys.stderr.write(f"error: {message}\n")


def _crash_report(arguments: list[str]) -> str:
    import time
    import traceback

    import supertune
    from supertune.files import cache_folder, write_text

    path = cache_folder() / "crashes" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    lines = [f"supertune {supertune.__version__}, Python {sys.version}", f"arguments: {arguments}", ""]
    try:
        write_text(path, "\n".join(lines) + traceback.format_exc())
    except (SupertuneError, OSError):
        traceback.print_exc()
        return "the crash report could not be saved; please send us the lines above"
    return f"please send us the report saved as {path}"
