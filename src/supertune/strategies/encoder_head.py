"""An encoder under a linear head on the mean of its hidden states: what probe, contrastive and zero-shot models are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from supertune.errors import UserError
from supertune.strategies.own_weights import OwnWeights, quiet_saving
from supertune.strategies.parts import writes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

HEAD = "head.safetensors"


@dataclass(frozen=True)
class EncoderHeadStrategy(OwnWeights):
    """A linear head on the mean over a text's tokens, which stands in the place of the task's head and of any pooler.

    The mean tells more than the first token, which was pre-trained for another task.

    Attributes:
        normalised: Whether the mean is brought to length 1 first, so that only directions count.
    """

    own_head = True
    normalised: ClassVar[bool] = False

    def head_on(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model's body under a new head; seed torch first.

        Raises:
            UserError: The model has an encoder and a decoder, or writes.
        """
        if writes(model):
            raise UserError(
                f"{type(model).__name__} writes texts, and this strategy tells labels apart",
                where="strategy.name",
                fix="--strategy lora or --strategy full",
            )
        if model.config.is_encoder_decoder:
            raise UserError(
                f"a model of type {model.config.model_type!r} has an encoder and a decoder, and a text no mean in both",
                where="strategy",
                fix="choose an encoder such as minilm or e5-multilingual, or --strategy full",
            )
        labels = int(cast(Any, model.config).num_labels)
        built: PreTrainedModel = _encoder_with_head()(model.base_model, labels, normalised=self.normalised)
        return built

    def save(self, model: PreTrainedModel, folder: str, base: str) -> None:
        """The body as a model folder, and the head in ``head.safetensors`` (``weight``, ``bias``)."""
        from safetensors.torch import save_file

        opened: Any = model
        with quiet_saving():
            opened.body.save_pretrained(folder)
        head = {name: value.detach().contiguous().cpu() for name, value in opened.classifier.named_parameters()}
        save_file(head, str(Path(folder) / HEAD), metadata={"format": "pt"})

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """The model's body with the head of ``folder``.

        Raises:
            UserError: The head's file is missing or damaged, or of other labels.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(folder) / HEAD
        opened: Any = self.head_on(model)
        try:
            opened.classifier.load_state_dict(load_file(str(path)))
        except (RuntimeError, OSError, SafetensorError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"does not fit the model ({reason})", where=str(path), fix="restore the file") from error
        whole: PreTrainedModel = opened
        return whole

    def load_lines(self, auto_class: str) -> str:
        """Plain transformers opens the body; the head is one product."""
        normalise = "    mean = torch.nn.functional.normalize(mean, dim=-1)\n" if self.normalised else ""
        return f"""\
from types import SimpleNamespace

from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

folder = "."  # this folder
tokenizer = AutoTokenizer.from_pretrained(folder)
encoder = AutoModel.from_pretrained(folder).eval()
head = load_file(f"{{folder}}/{HEAD}")


def model(input_ids, attention_mask, **others):
    mask = attention_mask.unsqueeze(-1)
    states = encoder(input_ids=input_ids, attention_mask=attention_mask, **others).last_hidden_state
    mean = (states * mask).sum(1) / mask.sum(1)
{normalise}\
    return SimpleNamespace(logits=torch.nn.functional.linear(mean, head["weight"], head["bias"]))


model.config = encoder.config
"""


@cache
def _encoder_with_head() -> Any:
    # A class in a function, so that this module can be imported without torch.
    import torch
    from transformers.modeling_outputs import SequenceClassifierOutput

    class EncoderWithHead(torch.nn.Module):
        """A body, the mean over the tokens, and a linear head; used like a model of transformers."""

        def __init__(self, body: Any, labels: int, *, normalised: bool) -> None:
            super().__init__()
            self.config, self.body, self.normalised = body.config, body, normalised
            self.classifier = torch.nn.Linear(body.config.get_text_config().hidden_size, labels)

        @property
        def base_model(self) -> Any:
            return self.body

        def set_attn_implementation(self, *given: Any, **named: Any) -> None:
            self.body.set_attn_implementation(*given, **named)

        def get_input_embeddings(self) -> Any:
            return self.body.get_input_embeddings()

        def set_input_embeddings(self, value: Any) -> None:
            self.body.set_input_embeddings(value)

        def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **types: torch.Tensor) -> torch.Tensor:
            """One vector per text or pair, float (items, width): the mean over its tokens."""
            states = self.body(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(mean, dim=-1) if self.normalised else mean

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **types: torch.Tensor) -> Any:
            return SequenceClassifierOutput(logits=self.classifier(self.embed(input_ids, attention_mask, **types)))

    return EncoderWithHead
