"""Bottleneck adapters: small networks inside every layer, whose output is added to what passes by."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from supertune.errors import UserError
from supertune.files import read_json
from supertune.strategies.own_weights import OwnWeights
from supertune.strategies.parts import base_lines, head_parameters, linear_layers, output_width

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

WEIGHTS, SETTINGS = "adapter.safetensors", "adapter.json"


@dataclass(frozen=True)
class BottleneckStrategy(OwnWeights):
    """After a layer's projections y becomes y + up(gelu(down(y))); only these and the head learn.

    For many tasks over one model, as LoRA; it cannot be merged, and costs a little time when predicting.

    Attributes:
        width: Units between down and up.
        placement: ``houlsby``: after attention and after the feed-forward layer; ``pfeiffer``: after the latter only,
            half as many weights.

    Source: Houlsby et al. 2019, "Parameter-efficient transfer learning for NLP", figure 2; Pfeiffer et al. 2021,
    "AdapterFusion", section 2.
    """

    width: int = 64
    placement: Literal["houlsby", "pfeiffer"] = "houlsby"

    name = "adapter"
    adapter = True

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Put the adapters in; ``up`` begins at zero, so that they change nothing at first. Seed torch first.

        Raises:
            UserError: The model has no layers that can be told apart, or no projections in them.
        """
        names = self._places(model)
        for name in names:
            model.set_submodule(name, _module()(model.get_submodule(name), self.width))
        added = {
            parameter
            for parameter, _ in model.named_parameters()
            for name in names
            if parameter.startswith((f"{name}.down.", f"{name}.up."))
        }
        return self.select(model, added)

    def _places(self, model: PreTrainedModel) -> list[str]:
        """The projections back to the model's width after which the adapters stand."""
        hidden = model.config.get_text_config().hidden_size
        places = []
        for names in linear_layers(model):
            back = [name for name in names if output_width(model.get_submodule(name)) == hidden]
            widening = [name for name in names if name not in back]
            if not back or not widening:
                raise UserError(
                    f"the projections in the layers of a model of type {model.config.model_type!r} are not known",
                    where="strategy.name",
                    fix="--strategy lora",
                )
            feedforward = back[-1]
            # The last one before the feed-forward layer widens again belongs to attention.
            before = [name for name in back if names.index(name) < names.index(widening[-1])]
            # Some models widen into queries, keys and values too, but none narrows before it has attended.
            places += [*(before[-1:] if self.placement == "houlsby" else []), feedforward]
        return places

    def save(self, model: PreTrainedModel, folder: str, base: str) -> None:
        """``adapter.safetensors``: adapters and head by the model's names; ``adapter.json``: where they stand."""
        from safetensors.torch import save_file

        learned = {
            name: parameter.detach().contiguous().cpu()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        save_file(learned, str(Path(folder) / WEIGHTS), metadata={"format": "pt"})
        places = [name for name, module in model.named_modules() if isinstance(module, _module())]
        settings = {"base": base, "modules": places, **asdict(self), "activation": "gelu"}
        (Path(folder) / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """The model with the adapters of ``folder`` in it.

        Raises:
            UserError: A file is missing or damaged, or of another model.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(folder) / WEIGHTS
        settings = read_json(Path(folder) / SETTINGS)
        try:
            for name in settings["modules"]:
                model.set_submodule(name, _module()(model.get_submodule(name), settings["width"]))
            loaded = model.load_state_dict(load_file(str(path)), strict=False)
        except (KeyError, TypeError, AttributeError, RuntimeError, OSError, SafetensorError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"does not fit the model ({reason})", where=str(path), fix="restore the file") from error
        learned = head_parameters(model) | {name for name in loaded.missing_keys if ".down." in name or ".up." in name}
        if loaded.unexpected_keys or learned & set(loaded.missing_keys):
            raise UserError("does not hold what adapter.json says", where=str(path), fix="restore the file")
        return model

    def load_lines(self, auto_class: str) -> str:
        """Ten lines of plain torch; neither transformers nor peft knows bottleneck adapters."""
        return f"""\
import json

from safetensors.torch import load_file
from torch.nn.functional import gelu, linear
from transformers import {auto_class}, AutoTokenizer

{base_lines(auto_class)}model.eval()
weights = load_file(f"{{folder}}/{WEIGHTS}")
model.load_state_dict(weights, strict=False)  # the head


def adapt(module, inputs, output, name):
    down, up = ([weights[f"{{name}}.{{part}}.{{kind}}"] for kind in ("weight", "bias")] for part in ("down", "up"))
    return output + linear(gelu(linear(output, *down)), *up)


with open(f"{{folder}}/{SETTINGS}", encoding="utf-8") as file:
    for name in json.load(file)["modules"]:
        model.get_submodule(name).register_forward_hook(lambda *call, name=name: adapt(*call, name))
"""

    def default_learning_rate(self) -> float:
        """1e-3, the best of three by trial (decision 0014); ``up`` begins at zero."""
        return 1e-3


@cache
def _module() -> Any:
    # A class in a function, so that this module can be imported without torch.
    import torch

    class Bottleneck(torch.nn.Module):
        """A linear layer and the adapter after it."""

        def __init__(self, layer: torch.nn.Module, width: int) -> None:
            super().__init__()
            hidden = output_width(layer)
            self.layer = layer
            self.down = torch.nn.Linear(hidden, width)
            self.up = torch.nn.Linear(width, hidden)
            torch.nn.init.zeros_(self.up.weight)
            torch.nn.init.zeros_(self.up.bias)

        @property
        def weight(self) -> Any:
            # Some models (T5) look at the type of the layer's weight.
            return self.layer.weight

        @property
        def bias(self) -> Any:
            return self.layer.bias

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            passed = self.layer(values)
            added: torch.Tensor = self.up(torch.nn.functional.gelu(self.down(passed)))
            summed: torch.Tensor = passed + added
            return summed

    return Bottleneck
