"""Opening pre-trained weights: what transformers says meanwhile, and whether the body was really loaded."""

from __future__ import annotations

import contextlib
import logging as levels
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError
from supertune.models.source import ModelSource

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@contextlib.contextmanager
def quiet_loading(source: ModelSource | Path) -> Iterator[None]:
    """Keep transformers' tables of newly initialised heads and its progress bars from the user while loading.

    What matters in them is checked by `check_body_loaded`. Everything is as it was when the block ends.

    Args:
        source: The model, or the file that it comes from.

    Raises:
        UserError: The weights' shapes do not fit the folder's ``config.json``.
    """
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(levels.ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(transformers|huggingface_hub|safetensors)\b")
            yield
    except RuntimeError as error:
        # The one way transformers says so; its message is for programmers.
        if "ignore_mismatched_sizes" not in str(error):
            raise
        raise UserError(
            "the weights do not fit config.json: their shapes differ",
            where=str(source if isinstance(source, Path) else source.folder),
            fix="use config.json and weights of the same model",
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def load_configuration(source: ModelSource, **changes: Any) -> PreTrainedConfig:
    """The model's ``config.json``, with entries changed."""
    from transformers import AutoConfig

    opened: PreTrainedConfig = AutoConfig.from_pretrained(
        source.folder, trust_remote_code=source.trust_remote_code, local_files_only=True, **changes
    )
    return opened


def check_body_loaded(loading_info: Mapping[str, Any], head_prefixes: Sequence[str], *, where: str) -> None:
    """Check that only a head was newly initialised: a body with random parts trains, and scores badly.

    Args:
        loading_info: As ``from_pretrained(..., output_loading_info=True)`` returns it.
        head_prefixes: Names of modules that may be new, at the top or right below the body's own name:
            ``classifier`` covers ``classifier.weight``, ``pooler`` covers ``bert.pooler.dense.weight``.
        where: The model, for the message.

    Raises:
        UserError: Weights of the body were missing, or had another shape.
    """
    missing = [str(key) for key in loading_info.get("missing_keys", ())]
    missing += [str(entry[0]) for entry in loading_info.get("mismatched_keys", ())]
    lost = sorted(key for key in missing if not set(key.split(".")[:2]) & set(head_prefixes))
    if lost:
        named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        raise UserError(
            f"weights of the model are missing or of another shape: {named}",
            where=where,
            fix="use config.json and weights of the same model; a file may be from another one",
        )
