"""Measures of a reservoir where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saiki.errors import OptionError
from saiki.reservoir import EchoStateNetwork, echo_state_test, kernel_rank, lyapunov, memory_capacity


def linear(units, radius=0.9, **options):
    return EchoStateNetwork(units, nonlinearity="identity", spectral_radius=radius, bias_scale=0.0, **options)


def test_linear_memory_is_the_number_of_units():
    capacity, by_lag = memory_capacity(linear(15, radius=0.7, seed=1), steps=4000)
    assert capacity == pytest.approx(15, abs=0.15)
    assert by_lag[0] > 0.999
    assert by_lag.shape == (31,)


def test_squashing_costs_memory():
    squashed, _ = memory_capacity(EchoStateNetwork(15, input_scale=3.0, seed=1), steps=3000)
    assert 1 < squashed < 12


def test_rank_of_states():
    assert kernel_rank(linear(12, seed=1), steps=60) == 12
    assert kernel_rank(linear(12, radius=0.0, seed=1), steps=60) == 1  # only the last input counts
    assert kernel_rank(linear(12, seed=1), streams=5, steps=60) == 5


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.2])
def test_linear_exponent_is_the_logarithm_of_the_radius(radius):
    (cell,) = linear(30, radius, density=1.0, seed=2).build(1, 1).reservoirs
    found = lyapunov(cell, np.zeros(600), washout=200)
    assert found == pytest.approx(np.log(radius), abs=0.02)


def test_leaky_exponent():
    """(1 - a) I + a W of W = 0 shrinks by 1 - a."""
    (cell,) = EchoStateNetwork(10, leak=0.3, spectral_radius=0.0).build(1, 1).reservoirs
    assert lyapunov(cell, np.zeros(50), washout=5) == pytest.approx(np.log(0.7))


def test_echo_states():
    u = np.random.default_rng(0).uniform(-1, 1, 400)
    (calm,) = EchoStateNetwork(40, spectral_radius=0.5, density=1.0).build(1, 1).reservoirs
    found = echo_state_test(calm, u)
    assert found.forgets
    assert found.rate < -0.3
    assert found.spectral_radius == pytest.approx(0.5)
    (wild,) = EchoStateNetwork(40, spectral_radius=3.0, input_scale=0.01, density=1.0).build(1, 1).reservoirs
    found = echo_state_test(wild, u)
    assert not found.forgets
    assert not found.certain
    assert lyapunov(wild, u) > 0
    with torch.no_grad():
        calm.weight_hh.mul_(0.3)
    assert echo_state_test(calm, u).certain


def test_feedback_is_refused():
    with pytest.raises(OptionError, match="feedback"):
        memory_capacity(EchoStateNetwork(5, feedback_scale=1.0))
    with pytest.raises(OptionError, match=r"expected \[time, 1\]"):
        lyapunov(EchoStateNetwork(5).build(1, 1).reservoirs[0], np.zeros((5, 2)))
