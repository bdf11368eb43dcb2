"""The loss is torch's, in pieces."""

from __future__ import annotations

import torch

from harness.tuning.loss import CHUNK, cross_entropies, cross_entropy


def test_the_gradient_of_the_loss_equals_torch_cross_entropy() -> None:
    torch.manual_seed(0)
    rows = CHUNK * 2 + 3
    ours = torch.randn(rows, 50, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    labels = torch.randint(50, (rows,))
    before = ours.detach().clone()
    loss = cross_entropy(ours, labels) / rows
    expected = torch.nn.functional.cross_entropy(theirs, labels)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert torch.equal(ours, before), "the logits are still needed for the accuracy"


def test_each_row_is_told_and_all_rows_are_the_sum() -> None:
    torch.manual_seed(0)
    logits = torch.randn(CHUNK + 3, 50, requires_grad=True)
    labels = torch.randint(50, (CHUNK + 3,))
    total, each = cross_entropies(logits, labels)
    torch.testing.assert_close(
        each, torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    )
    torch.testing.assert_close(total, each.sum())
    assert torch.equal(total, cross_entropy(logits, labels))
    assert not each.requires_grad
