"""Linear layers that are laid out for oneDNN give what nn.Linear gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from harness.models.local.packed_linear import _PackedLinear, pack

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN"
)


def layer(bias: bool = True, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(192, 96, bias=bias, dtype=dtype)).eval()


def rows(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, 192, generator=torch.Generator().manual_seed(1)).to(dtype)


@needs_onednn
@torch.inference_mode()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_the_result_is_that_of_a_plain_layer(bias: bool, dtype: torch.dtype, within: float) -> None:
    plain, packed = layer(bias, dtype), layer(bias, dtype)
    pack(packed)
    assert type(packed[0]) is _PackedLinear
    for count in (1, 2, 7, 64):
        x = rows(count, dtype)
        assert packed(x).dtype == dtype
        assert (packed(x).float() - plain(x).float()).abs().max() < within
    batches = rows(12, dtype).reshape(2, 6, 192)
    assert packed(batches).shape == (2, 6, 96)


@needs_onednn
@torch.inference_mode()
def test_the_result_for_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    packed = layer()
    pack(packed)
    x = rows(300)
    whole = packed(x)
    for count in (2, 3, 8, 33, 128):
        for start in (0, 5, 300 - count):
            part = slice(start, start + count)
            assert torch.equal(packed(x[part]), whole[part])


@needs_onednn
def test_layers_are_replaced_however_deep_they_lie() -> None:
    model = nn.Sequential(nn.Sequential(layer(), nn.ReLU()), nn.Linear(96, 4))
    pack(model)
    assert not any(isinstance(module, nn.Linear) for module in model.modules())


class Special(nn.Linear):
    """A layer with a forward of its own, as quantized ones have."""


def test_layers_of_another_kind_or_on_another_device_stay() -> None:
    model = nn.Sequential(Special(8, 8), nn.Linear(8, 8, device="meta"))
    before = list(model)
    pack(model)
    assert list(model) == before


def test_without_onednn_a_model_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    model = layer()
    pack(model)
    assert type(model[0]) is nn.Linear
