"""The recipes of the known answers: data as the literature has them, networks and training of the library."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import saiki
from saiki.nn import Readout, Recurrent, StepReadout
from saiki.sequence import Batch, Ragged

#: copy memory: symbols to remember, their number of kinds, steps of waiting
SYMBOLS, KINDS, WAIT = 10, 8, 500
#: who knows all but the symbols loses log 8 on each of ten, out of 520 steps
COPY_BASELINE = SYMBOLS * math.log(KINDS) / (WAIT + 2 * SYMBOLS)
#: widths by depth, so that both have 364,000 parameters within 0.3 %
CHARACTER_WIDTH = {1: 378, 4: 200}


def digits(seed: int, order: str, split: str, judge: str = "test") -> float:
    """Accuracy of a GRU on the 1,797 digits of 8 by 8 pixels, as 8 steps of 8 or 64 steps of 1.

    `judge="valid"` leaves the test part alone, and scores a fifth of the training part that is then held out.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    x = (found.images / 16).astype(np.float32).reshape(-1, *((8, 8) if order == "rows" else (64, 1)))
    y = found.target.astype(np.int64)
    rows = np.random.default_rng(seed).permutation(len(x)) if split == "random" else np.arange(len(x))
    train, test = np.split(rows, [1000 if split == "writers" else round(0.8 * len(x))])
    if judge == "valid":
        train, test = np.split(train, [round(0.8 * len(train))])
    torch.manual_seed(seed)
    layers: dict[str, Any] = {"num_layers": 2, "dropout": 0.3} if order == "rows" else {"chrono": 64}
    net = Readout(Recurrent("gru", x.shape[2], 128, batch_first=True, **layers), 10)
    options: dict[str, Any] = {"epochs": 60, "learning_rate": 4e-3, "batch": 32, "weight_decay": 0.1}
    saiki.fit(net, x[train], y[train], loss="cross_entropy", average=0.99, seed=seed, **options)
    return float((saiki.predict(net, x[test]).argmax(1) == y[test]).mean())


def chorales(data: Path, seed: int, judge: str = "test") -> float:
    """Negative log-likelihood per frame of the next chord, 88 notes, from all chords before; official split."""
    from scipy.io import loadmat

    parts = loadmat(data / "music/jsb-chorales/JSB_Chorales.mat")
    train, valid, test = (
        [roll.astype(np.float32) for roll in parts[f"{name}data"][0]] for name in ("train", "valid", "test")
    )
    x, y = _next(train)
    torch.manual_seed(seed)
    net = StepReadout(_Beside(Recurrent("gru", 128, 220, batch_first=True), 88, 0.3), 88)
    options: dict[str, Any] = {
        "batch": 16,
        "learning_rate": 1.5e-2,
        "weight_decay": 0.6,  # on the valid part 8.46 with 0.05, 8.28 with 0.3, 8.21 with 1
        "warmup": 0.02,
        "average": 0.98,
    }
    valid_part = _next(valid)
    saiki.fit(net, x, y, loss=frame_nll, valid=valid_part, bptt=200, epochs=70, seed=seed, **options)
    x, y = valid_part if judge == "valid" else _next(test)
    padded, truth = Batch.of(x), Batch.of(y)
    inside = torch.arange(padded.values.shape[1]) < padded.lengths[:, None]
    with torch.no_grad():
        return float(frame_nll(net(padded.values, None, lengths=padded.lengths)[0][inside], truth.values[inside]))


def frame_nll(out: Tensor, truth: Tensor) -> Tensor:
    """Nats per frame: summed over notes, averaged over frames."""
    return nn.functional.binary_cross_entropy_with_logits(out, truth, reduction="none").sum(-1).mean()


def _next(rolls: list[np.ndarray]) -> tuple[Ragged, Ragged]:
    """Every frame but the last, and every frame but the first."""
    return Ragged.of([roll[:-1] for roll in rolls]), Ragged.of([roll[1:] for roll in rolls])


class _Beside(nn.Module):
    """A layer that reads a linear map of the input, rectified; the input itself goes up beside its outputs.

    Of a layer's outputs the same are dropped at all steps of a sequence.
    """

    def __init__(self, layer: Recurrent, features: int, share: float) -> None:
        super().__init__()
        self.layer, self.share = layer, share
        self.into = nn.Sequential(nn.Linear(features, layer.input_size), nn.ReLU())
        self.output_size = layer.output_size + features

    def forward(self, x: Tensor, states: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        out, states = self.layer(self.into(x), states, lengths=lengths)
        mask = nn.functional.dropout(out.new_ones(len(out), 1, out.shape[2]), self.share, self.training)
        return torch.cat([out * mask, x], -1), states


def adding(seed: int, cell: str, steps: int, time: int = 600, width: int = 64, **options: Any) -> float:
    """Mean squared error of the sum of two marked numbers among 600; a constant answer has 1/6.

    Source: Hochreiter and Schmidhuber 1997, section 5.4, as simplified in Le et al. 2015 (arXiv 1504.00941).
    """
    draw = lambda rows, key: _adding(np.random.default_rng([seed, key]), rows, time)  # noqa: E731
    torch.manual_seed(seed)
    net = Readout(Recurrent(cell, 2, width, batch_first=True, **options), 1)
    given: dict[str, Any] = {"steps": steps, "learning_rate": 4e-3, "batch": 32, "weight_decay": 0.0}
    saiki.fit(net, *draw(16000, 0), valid=draw(500, 1), patience=20, seed=seed, **given)
    x, y = draw(2000, 2)
    return float(((saiki.predict(net, x) - y) ** 2).mean())


def _adding(rng: np.random.Generator, rows: int, time: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.stack([rng.random((rows, time)), np.zeros((rows, time))], 2).astype(np.float32)
    places = rng.integers(0, time // 2, rows), rng.integers(time // 2, time, rows)
    every = np.arange(rows)
    for place in places:
        x[every, place, 1] = 1
    return x, (x[every, places[0], 0] + x[every, places[1], 0])[:, None]


def copying(seed: int, cell: str, steps: int, width: int = 128, **options: Any) -> float:
    """Cross-entropy per step of repeating ten symbols after 500 steps of waiting.

    Source: Hochreiter and Schmidhuber 1997; the sizes of Arjovsky et al. 2016 (arXiv 1511.06464), section 5.1.
    """
    draw = lambda rows, key: _copying(np.random.default_rng([seed, key]), rows)  # noqa: E731
    torch.manual_seed(seed)
    layer = Recurrent(cell, KINDS + 2, width, batch_first=True, **options)
    given: dict[str, Any] = {"steps": steps, "learning_rate": 4e-3, "batch": 32, "weight_decay": 0.0}
    time = WAIT + 2 * SYMBOLS
    net = StepReadout(layer, KINDS + 2)
    saiki.fit(net, *draw(8000, 0), valid=draw(200, 1), loss="cross_entropy", bptt=time, seed=seed, **given)
    x, y = draw(1000, 2)
    with torch.no_grad():
        out = torch.cat([net(torch.from_numpy(part))[0] for part in np.split(x, 10)])
    return float(nn.functional.cross_entropy(out.flatten(0, 1), torch.from_numpy(y).flatten()))


def _copying(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """One-hot symbols `[rows, 520, 10]`, blank 8, go 9; and what to say at every step."""
    what = rng.integers(0, KINDS, (rows, SYMBOLS))
    x, y = np.full((2, rows, WAIT + 2 * SYMBOLS), KINDS)
    x[:, :SYMBOLS], y[:, -SYMBOLS:] = what, what
    x[:, -SYMBOLS - 1] = KINDS + 1
    return np.eye(KINDS + 2, dtype=np.float32)[x], y


def characters(data: Path, seed: int, depth: int, steps: int = 2500, streams: int = 32) -> float:
    """Cross-entropy per character of the last tenth of Tiny Shakespeare, of which nothing was chosen on; bptt 100."""
    text = (data / "text/tiny-shakespeare/input.txt").read_text()
    known = {c: k for k, c in enumerate(sorted(set(text)))}
    codes = np.array([known[c] for c in text])
    cut = len(codes) * 9 // 10
    torch.manual_seed(seed)
    width = CHARACTER_WIDTH[depth]
    net = StepReadout(_Embedded(len(known), Recurrent("rhn", 64, width, batch_first=True, depth=depth)), len(known))
    given: dict[str, Any] = {"steps": steps, "learning_rate": 3e-3, "batch": streams, "weight_decay": 0.0}
    saiki.fit(net, *_streams(codes[:cut], streams), loss="cross_entropy", bptt=100, seed=seed, **given)
    x, y = _streams(codes[cut:], 20)
    with torch.no_grad():
        out, _ = net(torch.from_numpy(x))
    return float(nn.functional.cross_entropy(out.flatten(0, 1), torch.from_numpy(y).flatten()))


def _streams(codes: np.ndarray, streams: int) -> tuple[np.ndarray, np.ndarray]:
    """A text as equally long rows that stand one after the other: `[streams, time]`, and the next character of each."""
    time = (len(codes) - 1) // streams
    return tuple(codes[k : k + time * streams].reshape(streams, time) for k in (0, 1))  # type: ignore[return-value]


class _Embedded(nn.Module):
    """A layer on codes `[batch, time]` or `[batch, time, 1]`."""

    def __init__(self, codes: int, layer: Recurrent) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(codes, layer.input_size), layer
        self.output_size = layer.output_size

    def forward(self, x: Tensor, states: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        x = x.squeeze(-1) if x.dim() == 3 else x
        return self.layer(self.embedding(x), states, lengths=lengths)
