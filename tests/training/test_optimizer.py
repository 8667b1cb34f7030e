"""Rows of a table, updated alone, beside AdamW of the whole table."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from saiki.training.optimizer import Optimizer, clip, touched


def table(sparse: bool) -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(6, 3, sparse=sparse).double()


@pytest.mark.parametrize("lr", [1e-3, 0.5])
def test_rows_with_a_gradient_at_every_step_learn_as_in_adamw(lr):
    ours, theirs = table(True), table(False)
    rows = Optimizer(ours.parameters(), lr=lr)
    whole = torch.optim.AdamW(theirs.parameters(), lr=lr, weight_decay=0.0)
    wanted = torch.randn(4, 3, dtype=torch.double)
    for _ in range(5):
        for module, optimizer in ((ours, rows), (theirs, whole)):
            optimizer.zero_grad()
            (module(torch.tensor([0, 2, 2, 5])) - wanted).square().sum().backward()
            optimizer.step()
        torch.testing.assert_close(ours.weight, theirs.weight)


def test_a_rare_row_begins_as_any_other():
    module = table(True)
    optimizer = Optimizer(module.parameters(), lr=0.1)
    before = module.weight.detach().clone()
    for step in range(20):
        optimizer.zero_grad()
        module(torch.tensor([0] if step < 19 else [0, 4])).sum().backward()
        optimizer.step()
    assert torch.equal(module.weight[[1, 2, 3, 5]], before[[1, 2, 3, 5]])
    torch.testing.assert_close(module.weight[4], before[4] - 0.1)  # the first step of Adam is as long as its rate


@pytest.mark.parametrize("most", [0.1, 100.0])
def test_gradients_are_clipped_together(most):
    found = []
    for sparse in (True, False):
        model = nn.ModuleList([table(sparse), nn.Linear(3, 1).double()])
        torch.manual_seed(1)
        nn.init.normal_(model[1].weight)
        nn.init.normal_(model[1].bias)
        model[1](model[0](torch.tensor([1, 1, 3]))).square().sum().backward()
        if sparse:
            clip(model.parameters(), most)
        else:
            nn.utils.clip_grad_norm_(model.parameters(), most)
        found.append([p.grad.to_dense() for p in model.parameters()])
    torch.testing.assert_close(found[0], found[1])


def test_which_weights_are_learned_row_by_row():
    assert touched(nn.ModuleList([table(True), table(False), nn.EmbeddingBag(3, 2, sparse=True)])) == {
        "0.weight",
        "2.weight",
    }
