"""A pre-trained body with a task's head on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from supertune.contracts import Head
from supertune.errors import UserError
from supertune.models.loading import check_body_loaded, load_configuration, quiet_loading
from supertune.models.source import ModelSource

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_HEADS = (
    "classifier",
    "pooler",
    "score",
    "qa_outputs",
    "pre_classifier",
    "classification_head",
    "dense",
    "head",
    "sequence_summary",
    "logits_proj",
)
"""Modules that transformers puts on a body for a task, by whatever name; these may be newly initialised."""


_INSTEAD = {
    "AutoModelForCausalLM": "choose a decoder such as gemma-270m",
    "AutoModelForSeq2SeqLM": "choose an encoder-decoder such as a T5, or a decoder such as gemma-270m",
}
"""Classes that write → what to choose where a model is of none of them."""


def load_with_head(source: ModelSource, head: Head, *, pad_token_id: int | None, new: bool = True) -> PreTrainedModel:
    """Open the model with the head's class, in fp32, in evaluation mode.

    A head that the folder has no weights for is drawn from torch's global generator, which must be seeded first: what
    stands between the body and the output as orthogonal matrices, the output as transformers does. Classes that write
    (``AutoModelForCausalLM``, ``AutoModelForSeq2SeqLM``) get none: what names the next token was pre-trained.

    Args:
        source: The model.
        head: The head's class and its labels.
        pad_token_id: The tokenizer's: decoders look for a text's last token by it, and their own configuration often
            lacks it.
        new: Accept a folder without weights for this head; off for a model that was trained with it.

    Raises:
        UserError: The architecture has no such head, or weights of the body are missing or do not fit.
    """
    import torch
    import transformers

    auto_class: Any = getattr(transformers, head.auto_class)
    with quiet_loading(source):
        config = load_configuration(source, **head.config)
        try:
            model, info = auto_class.from_pretrained(
                source.folder,
                config=config,
                dtype=torch.float32,
                trust_remote_code=source.trust_remote_code,
                local_files_only=True,
                use_safetensors=any(source.folder.glob("*.safetensors")),
                # A head for other labels is drawn anew; a body that does not fit is refused below.
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except ValueError as error:
            if "Unrecognized configuration class" not in str(error):
                raise
            raise UserError(
                f"a model of type {config.model_type!r} has no {head.auto_class}",
                where=str(source.folder),
                fix=_INSTEAD.get(head.auto_class, "choose an encoder such as minilm or e5-multilingual"),
            ) from error
    if head.auto_class in _INSTEAD:
        check_body_loaded(info, (), where=str(source.folder))
        _pad_what_is_written(model, pad_token_id)
        writing: PreTrainedModel = model.eval()
        return writing
    check_body_loaded(info, _HEADS if new else (), where=str(source.folder))
    _keep_lengths(model, info["missing_keys"])
    model.config.pad_token_id = pad_token_id
    opened: PreTrainedModel = model.eval()
    return opened


def _pad_what_is_written(model: Any, pad_token_id: int | None) -> None:
    """Let `generate` pad by this token.

    ``config.json`` keeps its own: opened again, the model would never learn the embedding of the token named there,
    and an encoder-decoder begins to write with it.
    """
    if pad_token_id is not None:
        model.generation_config.pad_token_id = pad_token_id


def begin_output(model: PreTrainedModel, bias: Sequence[float]) -> None:
    """Let a new head answer with these outputs before it has learned anything; heads without a bias are left alone.

    Args:
        model: With the head on it, and whatever a strategy has put around it.
        bias: One for each output.
    """
    import torch

    outputs = [
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
        and set(name.split(".")) & set(_HEADS)
        and module.out_features == len(bias)
        and module.bias is not None
        and module.bias.requires_grad
    ]
    if outputs:
        # What stands between the body and the output may be as wide; the output comes last.
        outputs[-1].bias.data = torch.tensor(bias).to(outputs[-1].bias)


def _keep_lengths(model: PreTrainedModel, missing: Collection[str]) -> None:
    """Draw new layers between body and output (a pooler, a dense layer) as orthogonal matrices, which keep lengths.

    transformers draws them from N(0, 0.02²), which leaves 0.4 of the length at a width of 384, and of the differences
    between texts, for the output to tell labels by; decision 0012 has what came of it. Source: Saxe, McClelland and
    Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks".
    """
    import torch

    width = model.config.get_text_config().hidden_size
    for name, parameter in model.named_parameters():
        # With as many labels as the body is wide the output looks alike, and is left alone with the rest.
        if name in missing and parameter.shape == (width, width) and model.config.num_labels != width:
            torch.nn.init.orthogonal_(parameter)
