"""Echo state networks: fixed reservoirs, a readout in closed form, and what a reservoir can remember and tell apart."""

from __future__ import annotations

from saiki.reservoir.measures import EchoStateTest, echo_state_test, kernel_rank, lyapunov, memory_capacity
from saiki.reservoir.network import EchoStateNetwork
from saiki.reservoir.ridge import RecursiveLeastSquares, Ridge, RidgeSolution

__all__ = [
    "EchoStateNetwork",
    "EchoStateTest",
    "RecursiveLeastSquares",
    "Ridge",
    "RidgeSolution",
    "echo_state_test",
    "kernel_rank",
    "lyapunov",
    "memory_capacity",
]
