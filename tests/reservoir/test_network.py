"""Echo state networks: the readout on the reservoir's states, sequences and blocks of any length, free runs, saving."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from saiki.errors import DataError, ModelError, OptionError, SaikiError
from saiki.reservoir import EchoStateNetwork
from saiki.reservoir import network as module


def waves(steps=900, seed=0):
    t = np.arange(steps)
    return np.sin(t / 5) + 0.5 * np.sin(t / 7.3 + seed)


def by_hand(network, x):
    """States of a network with one reservoir, step by step in NumPy."""
    w = {name: value.numpy() for name, value in network.reservoirs[0].state_dict().items()}
    h, out = np.zeros(network.units), []
    for step in x:
        h = np.tanh(w["weight_ih"] @ np.atleast_1d(step) + w["weight_hh"] @ h + w["bias"])
        out.append(h)
    return np.array(out)


def test_states_are_the_equations():
    network = EchoStateNetwork(20, seed=3).build(1, 1)
    x = waves(50)
    states = network.states(x)
    np.testing.assert_allclose(states[:, 0], x)
    np.testing.assert_allclose(states[:, 1:], by_hand(network, x), atol=1e-12)


@pytest.mark.parametrize("density", [None, 0.05, 1.0])
@pytest.mark.parametrize("radius", [0.0, 0.5, 1.3])
def test_spectral_radius_is_exact(density, radius):
    (cell,) = EchoStateNetwork(60, density=density, spectral_radius=radius).build(1, 1).reservoirs
    weight = cell.weight_hh
    assert torch.linalg.eigvals(weight).abs().max().item() == pytest.approx(radius, rel=1e-10)
    entries = {None: 10, 0.05: 3, 1.0: 60}[density]
    assert radius == 0 or ((weight != 0).sum(1) == entries).all()


def test_one_step_ahead_of_waves():
    x = waves()
    network = EchoStateNetwork(80, input_scale=0.1, seed=1).fit(x[:600], x[1:601])
    said = network.predict(x[600:-1])[100:, 0]
    assert np.abs(said - x[701:]).max() < 1e-5
    free = network.generate(50, x[:700])[:, 0]
    assert np.abs(free - x[700:750]).max() < 5e-3


def test_blocks_and_sequences_change_nothing(monkeypatch):
    """A long sequence in blocks is the sequence in one piece, teacher forcing included; several sequences each wash out."""
    x = waves(400)
    for feedback in (None, 0.3):
        options = {"washout": 30, "ridge": 1e-4, "seed": 2, "feedback_scale": feedback}
        whole = EchoStateNetwork(30, **options).fit(x[:-1], x[1:])
        monkeypatch.setattr(module, "LEAST_BLOCK", 1)
        monkeypatch.setattr(module, "ROWS_PER_COLUMN", 1)
        blocks = EchoStateNetwork(30, **options).fit(x[:-1], x[1:])
        monkeypatch.undo()
        torch.testing.assert_close(whole.solution.weight, blocks.solution.weight, rtol=1e-6, atol=1e-8)
    parts = [x[:200], x[200:]]
    several = EchoStateNetwork(30, washout=30, ridge=1e-4, seed=2).fit(parts, parts)
    states = np.vstack([several.states(part)[30:] for part in parts])
    targets = np.concatenate([part[30:] for part in parts])
    a, b = states - states.mean(0), targets - targets.mean()
    expected = np.linalg.solve(a.T @ a + 1e-4 * np.eye(31), a.T @ b)
    np.testing.assert_allclose(several.solution.weight[:, 0], expected, rtol=1e-6, atol=1e-8)


def test_parts_of_a_sequence_carry_their_memory():
    x = waves()
    for feedback in (None, 0.3):
        network = EchoStateNetwork(40, feedback_scale=feedback, ridge=1e-3).fit(x[:-1], x[1:])
        whole = network.predict(x[:60])
        first, memory = network.predict_from(x[:25])
        second, _ = network.predict_from(x[25:60], memory)
        np.testing.assert_allclose(np.vstack([first, second]), whole, atol=1e-9)


def test_in_series_and_side_by_side():
    x = waves()
    network = EchoStateNetwork(15, layers=3, parallel=2, leak=[1.0, 0.5, 0.25], seed=4).fit(x[:-1], x[1:])
    assert network.columns == 15 * 3 * 2 + 1
    states = network.states(x[:40])[:, 1:].reshape(40, 3, 2, 15)
    weight = network.reservoirs[2].state_dict()  # second layer, first column
    h = np.zeros(15)
    for t in range(40):
        drive = weight["weight_ih"].numpy() @ states[t, 0, 0] + weight["bias"].numpy()
        h = 0.5 * h + 0.5 * np.tanh(drive + weight["weight_hh"].numpy() @ h)
        np.testing.assert_allclose(states[t, 1, 0], h, atol=1e-12)
    assert not np.allclose(states[:, :, 0], states[:, :, 1])


def test_feedback_generates_without_inputs_of_its_own():
    """The classical pattern generator: a constant input, the output fed back."""
    y = waves()
    network = EchoStateNetwork(100, feedback_scale=0.5, input_scale=0.1, ridge=1e-8, seed=1)
    network.fit(np.ones(800), y[:800])
    states, said = network.initial_memory()
    for _rows, _, memory in network._run(torch.ones(300, 1, dtype=torch.float64), torch.from_numpy(y[:300, None])):
        states, said = memory
    free = network.predict(np.ones(30), (states, said))
    assert np.abs(free[:, 0] - y[300:330]).max() < 0.1


def test_missing_targets_are_not_learned_from():
    x = waves()
    y = x[1:].copy()
    holes = y.copy()
    holes[::3] = np.nan
    network = EchoStateNetwork(40).fit(x[:-1], holes)
    assert np.abs(network.predict(x[:-1])[150:, 0] - y[150:]).max() < 1e-2


def test_online_learning_reaches_the_closed_form():
    x = waves(600)
    online = EchoStateNetwork(20, input_scale=0.1, seed=1)
    said = np.array([online.learn(x[t], x[t + 1], strength=1e-6) for t in range(599)])[:, 0]
    assert np.abs(said[400:] - x[401:]).max() < 0.01
    offline = EchoStateNetwork(20, input_scale=0.1, seed=1, ridge=1e-6, washout=0).fit(x[:-1], x[1:])
    np.testing.assert_allclose(online.predict(x)[100:], offline.predict(x)[100:], atol=1e-3)


def test_online_learning_goes_on_from_a_fit():
    x = waves(600)
    network = EchoStateNetwork(20, input_scale=0.1, seed=1, ridge=1e-6, washout=0).fit(x[:400], x[1:401])
    before = network.predict(x)
    said = np.array([network.learn(x[t], x[t + 1]) for t in range(300)])[:, 0]
    np.testing.assert_allclose(said, before[:300, 0], atol=0.02)  # it knew these already
    np.testing.assert_allclose(network.predict(x)[100:], before[100:], atol=0.02)
    online = EchoStateNetwork(20, input_scale=0.1, seed=1, ridge=1e-6, washout=0)
    online.learn(x[0], x[1])
    online.fit(x[:-1], x[1:])
    fitted = online.predict(x)
    online.learn(x[0], x[1])
    np.testing.assert_allclose(online.predict(x)[100:], fitted[100:], atol=1e-3)


def test_seed_and_state_dict_round_trip():
    x = waves()
    one = EchoStateNetwork(30, seed=5).fit(x[:-1], x[1:])
    before = torch.get_rng_state()
    again = EchoStateNetwork(30, seed=5).fit(x[:-1], x[1:])
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(one.predict(x), again.predict(x))
    other = EchoStateNetwork(30, seed=6).build(1, 1)
    other.load_state_dict(one.state_dict())
    assert np.array_equal(one.predict(x), other.predict(x))


def test_a_state_builds_a_new_network_and_precision_stays():
    x = np.sin(np.arange(600) / 9)
    fitted = EchoStateNetwork(units=30, seed=1).fit(x[:-1], x[1:])
    expected = fitted.predict(x)
    holder = torch.nn.Sequential(torch.nn.Linear(1, 1), EchoStateNetwork(units=30, seed=2))
    holder.load_state_dict(torch.nn.Sequential(torch.nn.Linear(1, 1), fitted).state_dict())
    assert np.array_equal(holder[1].predict(x), expected)
    holder.half().float()
    assert np.array_equal(holder[1].predict(x), expected)
    assert holder[0].weight.dtype == torch.float32


def test_errors_are_one_line():
    x = waves()
    with pytest.raises(SaikiError, match="learned nothing"):
        EchoStateNetwork(5).build(1, 1).predict(x)
    with pytest.raises(OptionError, match="units"):
        EchoStateNetwork(0)
    with pytest.raises(OptionError, match="2 values for 3 layers"):
        EchoStateNetwork(5, layers=3, leak=[0.1, 0.2])
    with pytest.raises(OptionError, match="leak"):
        EchoStateNetwork(5, leak=1.5).fit(x, x)
    with pytest.raises(DataError, match="steps of inputs and 3 of targets"):
        EchoStateNetwork(5).fit(x, x[:3])
    with pytest.raises(DataError, match="after the washout"):
        EchoStateNetwork(5).fit(x[:50], x[:50])
    with pytest.raises(DataError, match="at step 7"):
        EchoStateNetwork(5).fit(np.where(np.arange(900) == 7, np.nan, x), x)
    network = EchoStateNetwork(5).fit(np.stack([x, x], 1), x)
    with pytest.raises(OptionError, match="2 inputs and 1 outputs"):
        network.generate(3, np.stack([x, x], 1))
    with pytest.raises(DataError, match=r"expected \[time, 2\]"):
        network.predict(x)


def test_reservoirs_of_ones_own_are_kept():
    """A ring in place of the drawn matrix, and its readout."""
    x = waves()
    network = EchoStateNetwork(30, ridge=1e-4, seed=1)
    with pytest.raises(SaikiError, match="no reservoirs yet"):
        network.fit_readout(x[:-1], x[1:])
    network.build(1, 1)
    ring = 0.9 * torch.eye(30, dtype=torch.float64).roll(1, 0)
    network.reservoirs[0].weight_hh.copy_(ring)
    network.fit_readout(x[:-1], x[1:])
    assert torch.equal(network.reservoirs[0].weight_hh, ring)
    np.testing.assert_allclose(network.states(x[:40])[:, 1:], by_hand(network, x[:40]), atol=1e-12)
    states = network.states(x[:-1])[100:]
    a, b = states - states.mean(0), x[101:] - x[101:].mean()
    expected = np.linalg.solve(a.T @ a + 1e-4 * np.eye(31), a.T @ b)
    np.testing.assert_allclose(network.solution.weight[:, 0], expected, rtol=1e-6, atol=1e-8)


def test_online_learning_goes_on_from_a_fit_without_a_penalty():
    series = np.sin(np.arange(300) / 5)[:, None] + 0.01 * np.random.default_rng(0).standard_normal((300, 1))
    network = EchoStateNetwork(20, washout=10, ridge=0).fit(series[:-1], series[1:])
    said = [network.learn(now, then) for now, then in itertools.pairwise(series[:50])]
    assert np.isfinite(np.array(said)).all()


def test_a_loaded_readout_is_not_thrown_away_by_learning():
    wave = np.sin(np.arange(400) / 5)[:, None]
    net = EchoStateNetwork(20, washout=20).fit(wave[:-1], wave[1:])
    other = EchoStateNetwork(20, washout=20).build(1, 1)
    other.learn(wave[0], wave[1])
    other.load_state_dict(net.state_dict())
    before = other.predict(wave)
    with pytest.raises(ModelError, match="this one was loaded; call fit first"):
        other.learn(wave[0], wave[1])
    np.testing.assert_array_equal(other.predict(wave), before)
    other.solution = None
    other.learn(wave[0], wave[1])


def test_the_state_of_a_network_that_has_learned_nothing_takes_the_readout_away():
    x = np.sin(np.arange(300) / 9)
    fitted = EchoStateNetwork(20, seed=1).fit(x[:-1], x[1:])
    fitted.load_state_dict(EchoStateNetwork(20, seed=2).build(1, 1).state_dict())
    with pytest.raises(SaikiError, match="has learned nothing yet"):
        fitted.predict(x)


def test_nested_lists_are_one_sequence_and_lists_of_arrays_several():
    x = np.sin(np.arange(300) / 9)[:, None]
    expected = EchoStateNetwork(20, seed=1).fit(x[:-1], x[1:]).predict(x)
    assert np.allclose(EchoStateNetwork(20, seed=1).fit(x[:-1].tolist(), x[1:].tolist()).predict(x), expected)
    assert np.allclose(EchoStateNetwork(20, seed=1).fit([x[:-1]], [x[1:]]).predict(x), expected)
    assert np.allclose(EchoStateNetwork(20, seed=1).fit([x[:-1].tolist()], [x[1:].tolist()]).predict(x), expected)


def test_numbers_of_numpy_are_numbers():
    x = np.sin(np.arange(300) / 9)
    one = EchoStateNetwork(20, seed=np.int64(3), leak=np.float32(0.5), ridge=np.float64(1e-6)).fit(x[:-1], x[1:])
    two = EchoStateNetwork(20, seed=3, leak=0.5, ridge=1e-6).fit(x[:-1], x[1:])
    assert np.allclose(one.predict(x), two.predict(x))


def test_forgetting_does_not_wind_up_while_the_input_stands_still():
    network = EchoStateNetwork(20, seed=1)
    varied = np.sin(np.arange(200) / 5)
    for k in range(199):
        network.learn(varied[k], varied[k + 1], forgetting=0.9)
    for _ in range(800):
        network.learn(0.5, 0.5)
    said = [network.learn(varied[k], varied[k + 1])[0] for k in range(199)]
    assert np.isfinite(said).all()
    assert np.abs(np.array(said[20:]) - varied[21:]).max() < 1


def test_reservoirs_drawn_in_threads_are_those_drawn_one_by_one():
    def weights(_):
        return EchoStateNetwork(60, seed=3).build(1, 1).cells[0].weight_hh.detach().clone()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(weights, range(16)))
    assert all(torch.equal(found[0], one) for one in found)


def test_weights_changed_between_two_runs_count():
    x = np.sin(np.arange(200) / 9)
    network = EchoStateNetwork(20, seed=1).fit(x[:-1], x[1:])
    before = network.generate(10, x)
    network.cells[0].weight_hh.data.mul_(0.5)
    assert not np.allclose(before, network.generate(10, x))


def test_what_learn_remembers_is_what_predict_goes_on_from():
    x = np.sin(np.arange(300) / 5)
    network = EchoStateNetwork(20, seed=1)
    for k in range(250):
        network.learn(x[k], x[k + 1])
    said = network.predict(x[250:251], network.memory)
    assert np.allclose(said, network.learn(x[250], x[251]))
