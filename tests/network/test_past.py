"""Attention on a stack's own past: the layers' answers, streams, carried states, ragged batches, weights, forecasts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.network.laws import streaming_is_the_whole

import saiki
from saiki.errors import ModelError, OptionError
from saiki.network.options import Network
from saiki.network.stack import Stack

LENGTHS = torch.tensor([3, 6, 0, 1])
KINDS = ("pool", "causal")


def stack(attention: str = "none", lookback: int = 2, **options) -> Stack:
    torch.manual_seed(0)
    return Stack(3, Network(layers=2, attention=attention, lookback=lookback, **options), 4).double()


def numbers() -> torch.Tensor:
    return torch.randn(4, 6, 3, dtype=torch.float64)


def plain_states(made: Stack, x: torch.Tensor) -> torch.Tensor:
    """What goes into the attention."""
    bare = stack()
    bare.load_state_dict({k: v for k, v in made.state_dict().items() if not k.startswith("attention.")})
    return bare(x, LENGTHS)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_layers(kind):
    made, x = stack(kind), numbers()
    y, _ = made(x, LENGTHS)
    h = plain_states(made, x)
    expected, weights = made.attention.layer(h, LENGTHS)
    if kind == "causal":
        torch.testing.assert_close(y, expected)
    else:
        for row, length in enumerate(LENGTHS.tolist()):
            if length:
                torch.testing.assert_close(y[row, length - 1], expected[row])
    torch.testing.assert_close(made.attention_weights(x, LENGTHS), weights)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["gru", "lstm", "mingru"])
def test_streaming_is_the_whole(kind, cell):
    streaming_is_the_whole(stack(kind, cell=cell), numbers())


@pytest.mark.parametrize("kind", KINDS)
def test_split_and_carry(kind):
    made, x = stack(kind), numbers()
    y, final = made(x, LENGTHS)
    first = LENGTHS.clamp(max=2)
    y_first, between = made(x[:, :2], first)
    y_rest, last = made(x[:, 2:], LENGTHS - first, between)
    torch.testing.assert_close(torch.cat([y_first, y_rest], 1), y)
    torch.testing.assert_close(last, final)


@pytest.mark.parametrize("kind", KINDS)
def test_the_future_and_the_padding_never_matter(kind):
    made, x = stack(kind), numbers()
    y, _ = made(x, LENGTHS)
    spoilt = x.clone()
    spoilt[torch.arange(6) >= LENGTHS[:, None]] = float("nan")
    torch.testing.assert_close(made(spoilt, LENGTHS)[0], y)
    assert not y[2].any(), "an empty row has no output"
    later = x.clone()
    later[:, 4:] = 9
    torch.testing.assert_close(made(later)[0][:, :4], made(x)[0][:, :4])


def test_a_stack_without_attention_has_none_to_show():
    with pytest.raises(OptionError, match="--attention"):
        stack().attention_weights(numbers())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_with_attention_trains_saves_streams_and_shows(kind, tmp_path):
    t = np.arange(120)
    frame = {"unique_id": ["a"] * 120, "ds": t, "y": 10 + np.sin(2 * np.pi * t / 12)}
    import polars as pl

    data = pl.DataFrame(frame)
    given = {"horizon": 3, "season": 12, "steps": 3, "width": 8, "patch": 3, "refit": False}
    model = saiki.train("forecast", data, attention=kind, **given)
    model.save(tmp_path / "m")
    loaded, data = saiki.load(tmp_path / "m"), data[-60:]
    expected = model.predict(data)["saiki"].to_numpy()
    np.testing.assert_array_equal(loaded.predict(data)["saiki"].to_numpy(), expected)
    stream = loaded.stream()
    pushed = [stream.push(row) for row in data.iter_rows(named=True)]
    np.testing.assert_allclose(pushed[-1][0]["saiki"], expected, rtol=1e-5)
    np.testing.assert_allclose(pushed[-30][0]["saiki"], loaded.predict(data[:-29])["saiki"].to_numpy(), rtol=1e-5)
    weights = loaded.attention(data)
    assert weights.shape == (1, model.task.plan.tokens)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)


def test_a_task_without_attention_to_show_says_so():
    from saiki.tasks._task import Task

    with pytest.raises(ModelError, match="cannot show attention"):
        Task().attention(torch.nn.Linear(1, 1), None)
