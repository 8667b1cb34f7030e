"""Time between steps, in both directions: turned round, a row has its gaps between the same steps."""

from __future__ import annotations

import pytest
import torch

import saiki.nn


@pytest.mark.parametrize("cell", ["cfc", "gru_d"])
def test_the_second_direction_sees_the_time_to_the_step_after(cell):
    both = saiki.nn.Recurrent(cell, 2, 3, bidirectional=True, batch_first=True, dtype=torch.float64).eval()
    alone = saiki.nn.Recurrent(cell, 2, 3, batch_first=True, dtype=torch.float64).eval()
    alone.cells[0].load_state_dict(both.cells[1].state_dict())
    x, times = torch.randn(2, 5, 2, dtype=torch.float64), torch.tensor([0.0, 1, 4, 4.5, 9]).double()

    def gaps(at: torch.Tensor) -> torch.Tensor:
        return torch.diff(at, prepend=at[:1])[None, :, None].expand(2, -1, -1)

    answer = both(x, gap=gaps(times), lengths=torch.tensor([5, 3]))[0][..., 3:]
    whole = alone(x[:1].flip(1), gap=gaps(-times.flip(0))[:1])[0].flip(1)
    short = alone(x[1:, :3].flip(1), gap=gaps(-times[:3].flip(0))[:1])[0].flip(1)
    assert torch.allclose(answer[:1], whole, atol=1e-12)
    assert torch.allclose(answer[1:, :3], short, atol=1e-12)
