"""The optimiser: AdamW, and for tables of which a step touches few rows an Adam of these rows alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from saiki.training.options import Training


class Optimizer(torch.optim.AdamW):
    """AdamW; weights with sparse gradients are updated row by row, and only the rows that have a gradient.

        m_r = β₁ m_r + (1 - β₁) g_r;   v_r = β₂ v_r + (1 - β₂) g_r²
        w_r = w_r - lr (m_r / (1 - β₁^s_r)) / (√(v_r / (1 - β₂^s_r)) + ε)          s_r: how often row r had a gradient

    Such rows are not decayed.

    Source: Kingma and Ba 2015 (arXiv 1412.6980), lazily as `torch.optim.SparseAdam`, but with a count for every row: one that
    is rare would else take several times the step of the others when it first comes.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; `closure` has no meaning here."""
        sparse = [(group, p) for group in self.param_groups for p in group["params"] if has_sparse_gradient(p)]
        for group, p in sparse:
            assert p.grad is not None
            gradient, p.grad = p.grad.coalesce(), None
            self._update(group, p, gradient.indices()[0], gradient.values())
        return super().step()

    def _update(self, group: dict[str, Any], p: nn.Parameter, rows: Tensor, g: Tensor) -> None:
        state = self.state[p]
        if not state:
            state["step"] = p.new_zeros(len(p))
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        first, second = group["betas"]
        times = state["step"][rows].add_(1)
        state["step"][rows] = times
        mean = state["exp_avg"][rows].lerp_(g, 1 - first)
        state["exp_avg"][rows] = mean
        square = state["exp_avg_sq"][rows].mul_(second).addcmul_(g, g, value=1 - second)
        state["exp_avg_sq"][rows] = square
        spread = square.div_((1 - second**times)[:, None]).sqrt_().add_(group["eps"])
        p.index_add_(0, rows, mean.div_((1 - first**times)[:, None]).div_(spread), alpha=-group["lr"])


def make_optimizer(network: nn.Module, options: Training) -> Optimizer:
    """AdamW of all weights that are learned; biases and other vectors are not decayed."""
    matrices = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in matrices + vectors)
    return Optimizer([g for g in groups if g["params"]], lr=options.learning_rate, fused=fused)


def has_sparse_gradient(p: Tensor) -> bool:
    """Whether the gradient of the last backward pass tells of some rows only."""
    return p.grad is not None and p.grad.is_sparse


def clip(parameters: Iterable[nn.Parameter], most: float) -> None:
    """Scale all gradients so that their norm, taken together, is at most so large."""
    found = []
    for p in parameters:
        if has_sparse_gradient(p):
            p.grad = p.grad.coalesce()  # pyright: ignore[reportOptionalMemberAccess]
        if p.grad is not None:
            found.append(p.grad._values() if p.grad.is_sparse else p.grad)
    if found:
        share = most / (nn.utils.get_total_norm(found, foreach=None) + 1e-6)
        torch._foreach_mul_(found, share.clamp(max=1.0))


def touched(network: nn.Module) -> set[str]:
    """Names of the weights of which a step touches some rows only."""
    tables = ((name, m) for name, m in network.named_modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag)))
    return {f"{name}.weight" for name, module in tables if module.sparse}
