"""The first example: sequences of 10 values, a simple RNN of 32 units, one output: the next value.

python examples/next_value.py
"""

import numpy as np

import saiki

x, y = np.random.default_rng(0).random((100, 10, 1)), np.random.default_rng(1).random((100, 1))
network = saiki.nn.Readout(saiki.nn.RNN(1, 32, batch_first=True), 1)
run = saiki.fit(network, x, y, loss="mse", epochs=10, batch=32, learning_rate=1e-3, weight_decay=0)

print("Random data: 100 sequences of 10 values and a next value that has nothing to do with them.")
print(f"  loss {run.curve[0]['loss']:.4f} -> {run.curve[-1]['loss']:.4f}, variance of the targets {y.var():.4f}")
print("  Nothing can be learned here: the best answer is the mean, and its squared error is the variance.")

# The same network on a real series, which ships with a dependency.
from statsmodels.datasets import elnino  # noqa: E402

series = elnino.load_pandas().data.iloc[:, 1:].to_numpy().ravel()  # sea surface temperature, monthly, 1950-2010, deg C
values = (series - series[:-120].mean()) / series[:-120].std()
windows = np.lib.stride_tricks.sliding_window_view(values, 11)[..., None]
train, test = windows[:-120], windows[-120:]  # the last ten years are for the test
network = saiki.nn.Readout(saiki.nn.RNN(1, 32, batch_first=True), 1)
saiki.fit(network, train[:, :10], train[:, 10], loss="mse", epochs=30, batch=32, learning_rate=3e-3, weight_decay=0)

answers = saiki.predict(network, test[:, :10])
error = np.sqrt(np.mean((answers - test[:, 10]) ** 2)) * series[:-120].std()
naive = np.sqrt(np.mean((test[:, 9] - test[:, 10]) ** 2)) * series[:-120].std()
print("Sea surface temperature (El Niño), the next month from the ten before it, 120 months never seen:")
print(f"  RMSE {error:.2f} °C against {naive:.2f} °C for repeating the last value:")
print(f"  the network {'beats' if error < naive else 'does not beat'} it.")
