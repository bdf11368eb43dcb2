"""Bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751), as one of PEFT's tuners.

PEFT has none of its own. Behind the projection that ends each attention and each MLP, before it is
added to the residual stream, a narrow network adds to what was written: up(gelu(down(y))). It ends
in zeros, so that nothing changes before the first step, and it is not linear, so that it cannot be
merged: a model that answers keeps it as two more layers in each block.

Unlike the paper's, norms stay frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from peft import PeftConfig
from peft.mapping import (
    PEFT_TYPE_TO_CONFIG_MAPPING,
    PEFT_TYPE_TO_PREFIX_MAPPING,
    PEFT_TYPE_TO_TUNER_MAPPING,
)
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import Tensor, nn
from torch.nn.functional import gelu

__all__ = ["BottleneckConfig"]

NAME = "BOTTLENECK"
SPREAD = 1e-2
"""Standard deviation of the first weights (section 3.6 of the paper)."""


@dataclass
class BottleneckConfig(PeftConfig):  # type: ignore[misc]
    """A bottleneck adapter, for `harness.tuning.adapter.Adapter`."""

    size: int = 64
    """Width of the bottleneck."""
    target_modules: list[str] | str | None = None
    """The linear layers that end a block's attention and its MLP."""
    exclude_modules: list[str] | str | None = None
    modules_to_save: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = NAME
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)  # type: ignore[assignment]


class _Added(nn.Module):
    """A linear layer and what a trained bottleneck adds to it."""

    def __init__(self, base_layer: nn.Linear, down: nn.Linear, up: nn.Linear) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.down, self.up = down.to(base_layer.weight.dtype), up.to(base_layer.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        written: Tensor = self.base_layer(x)
        added: Tensor = self.up(gelu(self.down(written)))
        return written + added


class _BottleneckLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """The same while it is trained, with a bottleneck for each adapter's name."""

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")
    cast_input_dtype_enabled = True
    base_layer: nn.Linear
    bottleneck_down: nn.ModuleDict
    bottleneck_up: nn.ModuleDict
    # What PEFT's class brings, which its types do not say.
    disable_adapters: bool
    active_adapters: Any
    set_adapter: Any
    _cast_input_dtype: Any
    _move_adapter_to_device_of_base_layer: Any

    def __init__(self, base_layer: nn.Linear, adapter: str, config: BottleneckConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.merged_adapters: list[str] = []
        self._active_adapter = adapter
        down = nn.Linear(base_layer.out_features, config.size)
        up = nn.Linear(config.size, base_layer.out_features)
        nn.init.trunc_normal_(down.weight, std=SPREAD, a=-2 * SPREAD, b=2 * SPREAD)
        for zero in (down.bias, up.weight, up.bias):
            nn.init.zeros_(zero)
        self.bottleneck_down = nn.ModuleDict({adapter: down})
        self.bottleneck_up = nn.ModuleDict({adapter: up})
        self._peft._move_adapter_to_device_of_base_layer(adapter)
        self._peft.set_adapter(adapter, inference_mode=config.inference_mode)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        written: Tensor = self.base_layer(x, *args, **kwargs)
        for name in () if self._peft.disable_adapters else self._peft.active_adapters:
            down, up = self._of(name)
            narrow = gelu(down(self._peft._cast_input_dtype(written, down.weight.dtype)))
            written = written + up(narrow).to(written.dtype)
        return written

    def unload_and_optionally_merge_module(
        self, merge: bool, safe_merge: bool, adapter_names: list[str] | None
    ) -> nn.Module:
        """What stands in this layer's place when PEFT has left the model."""
        if not merge:
            return self.base_layer
        (name,) = adapter_names or self._peft.active_adapters
        return _Added(self.base_layer, *self._of(name))

    @property
    def _peft(self) -> Any:
        """What PEFT's base class brings, which has no types."""
        return self

    def _of(self, name: str) -> tuple[nn.Linear, nn.Linear]:
        """Down and up of an adapter."""
        down, up = self.bottleneck_down[name], self.bottleneck_up[name]
        assert isinstance(down, nn.Linear) and isinstance(up, nn.Linear)
        return down, up


class _BottleneckModel(BaseTuner):  # type: ignore[misc]
    prefix = "bottleneck_"
    tuner_layer_cls = _BottleneckLayer
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def _create_and_replace(
        self,
        config: BottleneckConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **kwargs: Any,
    ) -> None:
        if not isinstance(target, nn.Linear):
            raise TypeError(f"{current_key} is no linear layer")
        layer = _BottleneckLayer(target, adapter_name, config)
        self._replace_module(parent, target_name, layer, target)


# What peft.utils.register_peft_method fills for the methods of PEFT's own list of names.
PEFT_TYPE_TO_CONFIG_MAPPING[NAME] = BottleneckConfig
PEFT_TYPE_TO_TUNER_MAPPING[NAME] = _BottleneckModel
PEFT_TYPE_TO_PREFIX_MAPPING[NAME] = _BottleneckModel.prefix
