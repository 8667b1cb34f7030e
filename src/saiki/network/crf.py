"""Linear-chain conditional random field: labels of a sequence judged together, not one by one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.errors import DataError
from saiki.network.packing import packing
from saiki.shapes import Float, Int


class CRF(nn.Module):
    """What a sequence of labels is worth, given scores of each label at each step.

        worth(y) = start_{y_1} + Σ_t s_t[y_t] + Σ_{t>1} pass_{y_{t-1}, y_t} + end_{y_T}
        log p(y) = worth(y) - log Σ_{y'} exp worth(y')

    The sum is taken by the forward algorithm, the best sequence by Viterbi's. A row of length 0 has probability 1.

    Source: Lafferty, McCallum and Pereira 2001, equation 1; start and end as in Lample et al. 2016 (arXiv 1603.01360).
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.labels = labels
        self.start, self.end = (nn.Parameter(torch.zeros(labels)) for _ in range(2))
        self.passing = nn.Parameter(torch.zeros(labels, labels))  # [from, to]

    def forward(
        self, scores: Float[Tensor, "batch time labels"], y: Int[Tensor, "batch time"], lengths: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch"]:
        """log p of the labels `y` of every row; what stands in the padding never matters."""
        self._check(scores)
        return self._worth(scores, y, lengths) - self._total(scores, lengths)

    def _worth(self, scores: Tensor, y: Tensor, lengths: Tensor) -> Tensor:
        lengths = lengths.to(scores.device)
        inside = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
        y = torch.where(inside, y, 0)
        own = torch.where(inside, scores.gather(2, y[..., None]).squeeze(2), 0).sum(1)
        passed = torch.where(inside[:, 1:], self.passing[y[:, :-1], y[:, 1:]], 0).sum(1)
        if not scores.shape[1]:
            return own
        last = y.gather(1, (lengths - 1).clamp_min(0)[:, None]).squeeze(1)
        return own + passed + torch.where(lengths > 0, self.start[y[:, 0]] + self.end[last], 0)

    def _total(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """log Σ exp worth over all sequences of labels."""
        layout, packed = self._packed(scores, lengths)
        alpha = scores.new_zeros(len(scores), self.labels)
        for t, now in enumerate(packed):
            before = alpha[: len(now)]
            reach = self.start if t == 0 else torch.logsumexp(before[:, :, None] + self.passing, 1)
            alpha = torch.cat([reach + now, alpha[len(now) :]])
        total = torch.logsumexp(alpha + self.end, 1)
        return torch.where(lengths.to(total.device) > 0, layout.unsort(total), 0)

    @torch.enable_grad()
    def marginals(
        self, scores: Float[Tensor, "batch time labels"], lengths: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch time labels"]:
        """p of every label at every step, over all labels of the other steps; zeros in the padding.

        It is the gradient of log Σ exp worth by the scores, so the backward pass of the forward algorithm gives it.
        """
        self._check(scores)
        scores = scores.detach().requires_grad_()
        if not int(lengths.sum()):
            return torch.zeros_like(scores)
        return torch.autograd.grad(self._total(scores, lengths).sum(), scores)[0]

    @torch.no_grad()
    def decode(self, scores: Float[Tensor, "batch time labels"], lengths: Int[Tensor, "batch"]) -> list[list[int]]:
        """The best labels of every row."""
        self._check(scores)
        layout, packed = self._packed(scores, lengths)
        best = scores.new_zeros(len(scores), self.labels)
        came: list[Tensor] = []
        for t, now in enumerate(packed):
            if t:
                top, where = (best[: len(now), :, None] + self.passing).max(1)
                came.append(where)
            else:
                top = self.start.expand(len(now), -1)
            best = torch.cat([top + now, best[len(now) :]])
        last = (best + self.end).argmax(1).tolist()
        steps = layout.sort(lengths.to(scores.device)).tolist()
        rows = [
            self._back(row, label, came, length) for row, (label, length) in enumerate(zip(last, steps, strict=True))
        ]
        order = range(len(rows)) if layout.back is None else layout.back.tolist()
        return [rows[k] for k in order]

    @staticmethod
    def _back(row: int, label: int, came: list[Tensor], length: int) -> list[int]:
        path = [label] if length else []
        for t in range(length - 2, -1, -1):
            path.append(int(came[t][row, path[-1]]))
        return path[::-1]

    @staticmethod
    def _packed(scores: Tensor, lengths: Tensor):
        """The scores time by time, of the rows that are still active, longest rows first."""
        batch, time = scores.shape[:2]
        layout = packing(lengths, batch, time, scores.device, batch_first=True)
        return layout, layout.pack(scores).split(layout.counts.tolist())

    def _check(self, scores: Tensor) -> None:
        if scores.dim() != 3 or scores.shape[2] != self.labels:
            raise DataError(f"scores: got shape {tuple(scores.shape)}; expected [batch, time, {self.labels}]")
