"""What a reservoir can do, measured: how far it remembers, what it tells apart, whether it forgets where it began."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from saiki.cells.echo_state import EchoState, EchoStateState
from saiki.errors import OptionError
from saiki.network.unroll import unroll
from saiki.reservoir.network import EchoStateNetwork
from saiki.reservoir.ridge import Ridge
from saiki.shapes import Float


def _network(of: EchoStateNetwork, features: int = 1, outputs: int = 1) -> EchoStateNetwork:
    """The reservoirs, drawn where they are not."""
    if of.feedback_scale is not None:
        raise OptionError("measures: got a network with feedback; they look at reservoirs driven by their input alone")
    return of if len(of.cells) else of.build(features, outputs)


def memory_capacity(
    network: EchoStateNetwork, longest: int | None = None, steps: int = 20_000, seed: int = 0
) -> tuple[float, Float[np.ndarray, "lags"]]:
    """Short-term memory: how much of the input of k steps ago a linear readout finds in the state of now.

        MC = Σ_k r²(u_{t-k}, û_{t-k}),   k = 0 … longest,   u ~ U(-0.5, 0.5)

    r² is one minus the share of the variance that is missed, on steps that the readout was not fitted to: in a finite
    sample a lag that is forgotten adds nothing, but takes a little away. For independent inputs MC is
    at most the number of units, and a linear reservoir whose states span all directions has it all: the input of now
    (k = 0) is one of those directions, so a sum from k = 1 on reaches one less.

    Args:
        longest: largest lag; by default twice the number of units.
        steps: steps to fit to; half as many again are scored.

    Returns:
        MC, and r² of every lag from 0 on.

    Source: Jaeger, "Short term memory in echo state networks", 2001 (GMD report 152), definition 1 and proposition 2,
    with lag 0 and held-out steps.
    """
    network = _network(network)
    if network.features != 1:
        raise OptionError(f"memory_capacity: got a network of {network.features} inputs; expected 1")
    units = network.units * network.parallel * network.layers
    longest = 2 * units if longest is None else longest
    u = np.random.default_rng(seed).uniform(-0.5, 0.5, longest + steps + steps // 2)
    start = u.size - steps - steps // 2
    lagged = torch.from_numpy(np.lib.stride_tricks.sliding_window_view(u, longest + 1)[:, ::-1].copy())
    ridge, held = Ridge(units, longest + 1), []
    for rows, begin, _ in network._run(torch.from_numpy(u)[:, None], None):
        rows = rows[:, network.features :] if network.see_input else rows
        first = min(max(start - begin, 0), len(rows))
        cut = min(max(start + steps - begin, first), len(rows))
        wanted = lagged[max(begin + first - longest, 0) : max(begin + len(rows) - longest, 0)]
        rows = rows[first:]
        ridge.add(rows[: cut - first], wanted[: cut - first])
        held.append((rows[cut - first :], wanted[cut - first :]))
    found = ridge.solve()
    said = torch.cat([rows for rows, _ in held]) @ found.weight + found.intercept
    truth = torch.cat([wanted for _, wanted in held])
    squared = (1 - (said - truth).square().sum(0) / (truth - truth.mean(0)).square().sum(0)).numpy()
    return float(squared.sum()), squared


def kernel_rank(
    network: EchoStateNetwork, streams: int | None = None, steps: int = 200, seed: int = 0, tolerance: float = 1e-9
) -> int:
    """How many random input streams the reservoir tells apart: the rank of the matrix of their last states.

    Args:
        streams: streams of independent U(-1, 1) inputs; by default as many as units.
        tolerance: singular values below this share of the largest count as zero.

    Source: Legenstein and Maass, "Edge of chaos and prediction of computational performance for neural circuit models",
    2007 (Neural Networks 20), section 3.
    """
    network = _network(network)
    streams = network.units * network.parallel * network.layers if streams is None else streams
    u = np.random.default_rng(seed).uniform(-1, 1, (streams, steps, network.features))
    last = np.stack([network.states(stream)[-1] for stream in u])
    last = last[:, network.features :] if network.see_input else last
    values = np.linalg.svd(last, compute_uv=False)
    return int((values > tolerance * values.max()).sum()) if values.size and values.max() else 0


def lyapunov(cell: EchoState, inputs: np.ndarray, washout: int = 100, seed: int = 0) -> float:
    """Largest Lyapunov exponent of a driven reservoir, in natural logarithms per step; below 0 it forgets where it began.

        v_t = J_t v_{t-1} / |·|,   λ = mean log |J_t v_{t-1}|,   J_t = (1 - a) I + a diag(f') W

    Source: Benettin et al. 1980 (Meccanica 15), for the Jacobian along the trajectory that the inputs drive.
    """
    x = _inputs(cell, inputs, washout)
    with torch.no_grad():
        drive = cell.project(x)
        h, weight = cell.initial_state(1).h[0], cell.weight_hh
        v = torch.randn(cell.width, dtype=weight.dtype, generator=torch.Generator().manual_seed(seed))
        v, total = v / v.norm(), 0.0
        for t in range(len(x)):
            new = drive[t] + weight @ h
            new = torch.tanh(new) if cell.nonlinearity == "tanh" else new
            slope = 1 - new.square() if cell.nonlinearity == "tanh" else torch.ones_like(new)
            v = (1 - cell.leak) * v + cell.leak * slope * (weight @ v)
            h = (1 - cell.leak) * h + cell.leak * new
            size = v.norm().item()
            if not size:
                return -float("inf")
            v = v / size
            total += float(np.log(size)) if t >= washout else 0.0
    return total / (len(x) - washout)


@dataclass(frozen=True)
class EchoStateTest:
    """Whether a reservoir forgets where it began, on given inputs."""

    forgets: bool  # every pair of beginnings ended closer than the tolerance
    distance: float  # largest distance at the end, as a share of the largest at the beginning
    rate: float  # mean change per step of the logarithm of the distance; below 0: they meet
    certain: bool  # the sufficient condition for all inputs: (1 - a) + a · σ_max(W) < 1
    spectral_radius: float


def echo_state_test(
    cell: EchoState, inputs: np.ndarray, beginnings: int = 10, tolerance: float = 1e-6, seed: int = 0
) -> EchoStateTest:
    """Run a reservoir from random states in (-1, 1) over the same inputs, and see whether the states meet.

    Source: Jaeger 2001 (GMD report 148), definition 1 and proposition 3 a, for leaky units: a step shrinks every
    distance at least by (1 - a) + a · σ_max(W).
    """
    if beginnings < 2:
        raise OptionError(f"beginnings: got {beginnings}; expected at least 2 states that may meet")
    x = _inputs(cell, inputs, 0)
    generator = torch.Generator().manual_seed(seed)
    weight = cell.weight_hh
    first = torch.rand(beginnings, cell.width, generator=generator, dtype=torch.float64).to(weight) * 2 - 1
    with torch.no_grad():
        many = x.repeat_interleave(beginnings, 0)
        counts = torch.full((len(x),), beginnings)
        _, final = unroll(cell, many, counts, EchoStateState(first))
    before, after = torch.pdist(first.double()), torch.pdist(final.h.double())
    share = (after.max() / before.max()).item()
    tiny = np.finfo(np.float64).tiny
    rate = float(torch.log((after / before).clamp_min(tiny)).mean()) / len(x)
    bound = 1 - cell.leak + cell.leak * torch.linalg.matrix_norm(weight.double(), 2).item()
    radius = torch.linalg.eigvals(weight.double()).abs().max().item()
    return EchoStateTest(share < tolerance, share, rate, bound < 1, radius)


def _inputs(cell: EchoState, inputs: np.ndarray, washout: int) -> torch.Tensor:
    x = torch.as_tensor(np.asarray(inputs)).to(cell.weight_ih)
    x = x[:, None] if x.dim() == 1 else x
    if x.dim() != 2 or x.shape[1] != cell.features or len(x) <= washout:
        raise OptionError(
            f"inputs: got shape {tuple(np.shape(inputs))}; expected [time, {cell.features}], more than {washout} steps"
        )
    if cell.needs:
        raise OptionError(
            "measures: got a reservoir with feedback; they look at reservoirs driven by their input alone"
        )
    return x
