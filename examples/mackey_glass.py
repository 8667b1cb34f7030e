"""Mackey-Glass, a chaotic series: an echo state network continues it on its own for 84 steps.

python examples/mackey_glass.py
"""

import numpy as np

from saiki.reservoir import EchoStateNetwork, Ridge

DELAY, EVERY, STEPS = 17, 10, 6000
x = np.full((STEPS + 200) * EVERY, 1.2)
for t in range(DELAY * EVERY, len(x) - 1):  # dx/dt = 0.2 x(t-17) / (1 + x(t-17)^10) - 0.1 x, in steps of 0.1
    late = x[t - DELAY * EVERY]
    x[t + 1] = x[t] + (0.2 * late / (1 + late**10) - 0.1 * x[t]) / EVERY
series = np.tanh(x[200 * EVERY :: EVERY] - 1)

TRAIN, AHEAD, LAGS = 3000, 84, 30
network = EchoStateNetwork(300, spectral_radius=0.8, bias_scale=0.2, washout=500, ridge=1e-9, seed=1)
network.fit(series[: TRAIN - 1], series[1:TRAIN])

# The same by a ridge regression on the last 30 values.
lags = Ridge(LAGS, 1)
rows = np.lib.stride_tricks.sliding_window_view(series, LAGS)
as_tensor = network.initial_memory()[1].new_tensor
lags.add(as_tensor(rows[: TRAIN - LAGS]), as_tensor(series[LAGS:TRAIN, None]))
linear = lags.solve(1e-9)


def by_lags(past: np.ndarray) -> float:
    """The value 84 steps later, each from the 30 before it."""
    held = list(past[-LAGS:])
    for _ in range(AHEAD):
        held.append(float(as_tensor(held[-LAGS:]) @ linear.weight[:, 0] + linear.intercept[0]))
    return held[-1]


errors = {"echo state network": [], "ridge on 30 lags": [], "last value": [], "mean": []}
for start in range(TRAIN + 500, STEPS - AHEAD, 100):  # places that training has not seen
    past, truth = series[start - 500 : start], series[start + AHEAD - 1]
    errors["echo state network"].append(network.generate(AHEAD, past)[-1, 0] - truth)
    errors["ridge on 30 lags"].append(by_lags(past) - truth)
    errors["last value"].append(past[-1] - truth)
    errors["mean"].append(series[:TRAIN].mean() - truth)

print(
    f"Mackey-Glass, {AHEAD} steps into the unknown from {len(errors['mean'])} places, error over the spread of the series:"
)
found = {name: float(np.sqrt(np.mean(np.square(e)) / series.var())) for name, e in errors.items()}
for name, error in found.items():
    print(f"  {error:10.2g}  {name}")
best = min((name for name in found if name != "echo state network"), key=found.__getitem__)
better = found["echo state network"] < found[best]
print(f"The echo state network {'beats' if better else 'does not beat'} the best baseline, {best}.")
