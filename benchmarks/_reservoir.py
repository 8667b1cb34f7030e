"""What benchmarks/reservoir.py measures: speed and memory beside ReservoirPy, Mackey-Glass, NARMA-10, memory capacity."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saiki.reservoir import EchoStateNetwork, Ridge, memory_capacity

STEPS = 10_000
STRENGTH = 1e-6
AHEAD = 84  # steps of a free run, as in Jaeger 2001
RESERVOIRS = 10

# Speed and memory.


def _ours(units: int, density: float) -> EchoStateNetwork:
    return EchoStateNetwork(units, density=density, see_input=False, ridge=STRENGTH, washout=0)


def _theirs(weights: dict[str, torch.Tensor]) -> Any:
    """ReservoirPy with these matrices, the recurrent one sparse, as it keeps them itself."""
    from reservoirpy.nodes import Reservoir
    from reservoirpy.nodes import Ridge as Readout
    from scipy.sparse import csr_matrix

    w = {name: value.numpy() for name, value in weights.items()}
    reservoir = Reservoir(W=csr_matrix(w["weight_hh"]), Win=w["weight_ih"], bias=w["bias"])
    return reservoir >> Readout(ridge=STRENGTH)


def speed(units: int, density: float, repeats: int = 5) -> dict[str, Any]:
    """Seconds of fitting and of running 10,000 steps, medians, both libraries in turn, with the same matrices.

    Neither time holds the drawing of the matrices; that the answers are the same is checked first.
    """
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (STEPS + 1, 1))
    given, wanted = x[:-1], np.convolve(x[:, 0], np.full(5, 0.2))[1 : STEPS + 1, None]
    ours = _ours(units, density).build(1, 1)
    theirs = _theirs(ours.reservoirs[0].state_dict())
    first = {"saiki": ours.fit_readout, "reservoirpy": theirs.fit}
    then = {"saiki": ours.predict, "reservoirpy": lambda given: (theirs.reset(), theirs.run(given))[1]}
    answers = {name: (first[name](given, wanted), then[name](given))[1] for name in first}
    apart = float(np.abs(answers["saiki"] - answers["reservoirpy"]).max() / wanted.std())
    assert apart < 1e-6, f"{units} units: the answers are {apart} apart; nothing is reported"
    found: dict[str, Any] = {"units": units, "density": density, "apart": apart}
    times: dict[str, list[float]] = {f"{what} {name}": [] for name in first for what in ("fit", "run")}
    for _ in range(repeats):
        for name in first:
            theirs.reset()
            times[f"fit {name}"].append(_seconds(lambda name=name: first[name](given, wanted)))
            times[f"run {name}"].append(_seconds(lambda name=name: then[name](given)))
    return found | {name: statistics.median(values) for name, values in times.items()}


def _seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def memory(library: str, steps: int, units: int = 200) -> dict[str, Any]:
    """The peak of a process of its own while it fits, above what it held just before, in MB."""
    run = subprocess.run(
        [sys.executable, __file__, library, str(steps), str(units)], capture_output=True, text=True, check=True
    )
    return {"library": library, "steps": steps, "units": units, "megabytes": float(run.stdout)}


def _peak(library: str, steps: int, units: int) -> float:
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (steps, 1))
    ours = _ours(units, 10 / units).build(1, 1)
    fit = ours.fit_readout if library == "saiki" else _theirs(ours.reservoirs[0].state_dict()).fit
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    fit(x, x)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - pages * resource.getpagesize() / 2**20


# Mackey-Glass.


def mackey_glass(steps: int, seed: int = 0, delay: int = 17, every: int = 10, skip: int = 2000) -> np.ndarray:
    """x' = 0.2 x(t-τ) / (1 + x(t-τ)^10) - 0.1 x by Euler steps of 1 / every, one value per unit of time, from 1.2 + noise."""
    total, lag = (steps + skip) * every, delay * every
    x = np.empty(total + lag)
    x[:lag] = 1.2 + 0.2 * (np.random.default_rng(seed).random(lag) - 0.5)
    for t in range(lag, total + lag):
        late = x[t - lag]
        x[t] = x[t - 1] + (0.2 * late / (1 + late**10) - 0.1 * x[t - 1]) / every
    return x[lag + skip * every :: every]


TRAIN, STARTS, APART = 3000, 50, 100
WASHOUT = 1000


def free_run(network: EchoStateNetwork, series: np.ndarray) -> float:
    """log10 of the NRMSE 84 steps into free runs from 50 places, 100 steps apart, after teacher forcing up to each.

    NRMSE84 = √( mean of (d(84) - y(84))² / variance of the series )
    """
    _, memory = network.predict_from(series[: WASHOUT - 1])
    missed, begin = [], WASHOUT - 1
    for _ in range(STARTS):
        free = network.generate(AHEAD, series[begin : begin + APART], memory)
        _, memory = network.predict_from(series[begin : begin + APART], memory)
        begin += APART
        missed.append(free[-1, 0] - series[begin + AHEAD - 1])
    return float(np.log10(np.sqrt(np.mean(np.square(missed)) / series.var())))


def free_runs(options: dict[str, Any], part: str, seeds: range, units: int = 1000) -> list[float]:
    """One figure per reservoir: trained on 3000 steps (1000 of them washout), run free on other steps: valid or test."""
    length = WASHOUT + STARTS * APART + AHEAD
    series = np.tanh(mackey_glass(TRAIN + 2 * length) - 1)
    begin = TRAIN if part == "valid" else TRAIN + length
    found = []
    for seed in seeds:
        network = EchoStateNetwork(units, washout=WASHOUT, seed=seed, **options)
        network.fit(series[: TRAIN - 1], series[1:TRAIN])
        found.append(free_run(network, series[begin : begin + length]))
    return found


def one_step(series: np.ndarray, options: dict[str, Any], seed: int, units: int = 100) -> dict[str, float]:
    """RMSE one step ahead, the series as it is: 5000 steps to learn from, 1000 of washout, the rest for the test."""
    learned, warm = 5000, 1000
    network = EchoStateNetwork(units, washout=WASHOUT, seed=seed, **options).fit(
        series[: learned - 1], series[1:learned]
    )
    said = network.predict(series[learned:-1])[warm:, 0]
    truth, before = series[learned + warm + 1 :], series[learned + warm : -1]
    lags = ridge_on_lags(series[:-1], series[1:], learned, 30)[warm:]
    return {
        "echo state": _rmse(said, truth),
        "ridge on 30 lags": _rmse(lags, truth),
        "last value": _rmse(before, truth),
    }


def _rmse(said: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((said - truth) ** 2)))


def ridge_on_lags(x: np.ndarray, y: np.ndarray, learned: int, lags: int) -> np.ndarray:
    """What a ridge regression on the last values of x says of y from step `learned` on."""
    rows = torch.from_numpy(np.lib.stride_tricks.sliding_window_view(np.pad(x, (lags - 1, 0)), lags).copy())
    ridge = Ridge(lags, 1)
    ridge.add(rows[lags:learned], torch.from_numpy(y[lags:learned, None].copy()))
    found = ridge.solve()
    return (rows[learned:] @ found.weight + found.intercept)[:, 0].numpy()


# NARMA-10.


def narma(steps: int, seed: int = 0, skip: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """y_{t+1} = 0.3 y_t + 0.05 y_t Σ_{i<10} y_{t-i} + 1.5 u_{t-9} u_t + 0.1, u ~ U(0, 0.5); a diverging draw is drawn anew."""
    rng = np.random.default_rng(seed)
    while True:
        u, y = rng.uniform(0, 0.5, steps + skip), np.zeros(steps + skip)
        for t in range(9, steps + skip - 1):
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
            if y[t + 1] > 5:
                break
        else:
            # y of the step after u is the target of u
            return u[skip:-1], y[skip + 1 :]


def narma_errors(u: np.ndarray, y: np.ndarray, options: dict[str, Any], seed: int, units: int) -> dict[str, float]:
    """NMSE on the second half, after a washout of 200 in either; the first half is learned from."""
    half, warm = len(u) // 2, 200
    network = EchoStateNetwork(units, washout=warm, seed=seed, **options).fit(u[:half], y[:half])
    truth = y[half + warm :]
    error = lambda said: float(np.mean((said - truth) ** 2) / truth.var())  # noqa: E731
    return {
        "echo state": error(network.predict(u[half:])[warm:, 0]),
        "ridge on 10 lags": error(ridge_on_lags(u, y, half, 10)[warm:]),
        "ridge on 50 lags": error(ridge_on_lags(u, y, half, 50)[warm:]),
        "mean of the first half": error(y[:half].mean()),
    }


# Memory capacity.


def capacity(kind: str, seed: int, units: int = 100) -> float:
    """Of a linear reservoir: random, or a ring, every unit of which passes on what another one said; at most `units`."""
    options = {"nonlinearity": "identity", "bias_scale": 0.0, "see_input": False, "spectral_radius": 0.95}
    network = EchoStateNetwork(units, density=0.1, seed=seed, **options).build(1, 1)
    if kind == "ring":
        network.reservoirs[0].weight_hh.copy_(0.95 * torch.eye(units, dtype=torch.float64).roll(1, 0))
    return memory_capacity(network, seed=seed)[0]


if __name__ == "__main__":
    print(_peak(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
