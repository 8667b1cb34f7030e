"""An echo state network: reservoirs in series and side by side, and a readout in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral, Real
from threading import Lock
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from saiki.cells.echo_state import EchoState, EchoStateState
from saiki.errors import DataError, ModelError, OptionError, SaikiError
from saiki.kernels.reservoir import steady
from saiki.network.unroll import unroll
from saiki.reservoir.ridge import RecursiveLeastSquares, Ridge, RidgeSolution
from saiki.shapes import Float

#: steps whose states are in memory at once, at least
LEAST_BLOCK = 1024
#: a block of the readout has so many rows per column of it: more would save little of its factorisation
ROWS_PER_COLUMN = 4

#: held while reservoirs are drawn
DRAWING = Lock()

#: what is remembered between two steps: the state of every reservoir, and what was said last
Memory = tuple[list[EchoStateState], Tensor]


class EchoStateNetwork(nn.Module):
    """Reservoirs that are never trained, read by a ridge regression.

        h^1_t = reservoir_1(x_t, h^1_{t-1}),   h^l_t = reservoir_l(h^{l-1}_t, h^l_{t-1})        `layers` in series
        y_t = V (x_t, h^1_t, …, h^L_t) + c

    With `parallel` > 1, every layer is that many reservoirs of `units` units side by side, each with its own weights;
    those of one number form a column. The readout sees all of them, and x where `see_input`.
    Everything is computed in float64; memory while fitting does not grow with the number of steps.

        network = EchoStateNetwork(units=500, seed=1)
        network.fit(x[:4000], y[:4000])          one sequence [time, features], or a list of sequences
        network.predict(x[4000:])                goes on where nothing else is said: from the zero state
        network.generate(84, warm=x)             its own outputs as inputs

    Args:
        units: units of every reservoir.
        leak, spectral_radius, density, input_scale, bias_scale, nonlinearity: see `saiki.cells.echo_state`; leak and
            spectral_radius also one per layer.
        feedback_scale: where not None, the output of the step before drives the reservoirs too (teacher forced in fit).
        washout: first steps of every sequence that are not learned from.
        ridge: strength of the penalty; several: the best of them; None: the best of a wide grid, both by generalised
            cross-validation.
        noise: standard deviation of noise added to the states while fitting, against free runs that leave the track.
        seed: of the reservoirs; the same seed draws the same reservoir.

    Source: Jaeger 2001 (GMD report 148); in series: Gallicchio, Micheli and Pedrelli, "Deep reservoir computing", 2017
    (Neurocomputing 268), the readout on all layers.
    """

    def __init__(
        self,
        units: int = 500,
        *,
        layers: int = 1,
        parallel: int = 1,
        leak: float | Sequence[float] = 1.0,
        spectral_radius: float | Sequence[float] = 0.9,
        density: float | None = None,
        input_scale: float = 1.0,
        bias_scale: float = 0.1,
        feedback_scale: float | None = None,
        nonlinearity: str = "tanh",
        see_input: bool = True,
        washout: int = 100,
        ridge: float | Sequence[float] | None = None,
        noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        for name, number in (("units", units), ("layers", layers), ("parallel", parallel)):
            if not isinstance(number, Integral) or number < 1:
                raise OptionError(f"{name}: got {number}; expected a whole number of at least 1")
        if not isinstance(washout, Integral) or washout < 0:
            raise OptionError(f"washout: got {washout}; expected a whole number of at least 0")
        if not 0 <= noise < float("inf"):
            raise OptionError(f"noise: got {noise}; expected a standard deviation of at least 0")
        super().__init__()
        self.units, self.layers, self.parallel, self.see_input = units, layers, parallel, see_input
        self.washout, self.noise, self.seed, self.feedback_scale = washout, noise, seed, feedback_scale
        self.ridge = ridge if ridge is None else _numbers(ridge)
        self._each = _per_layer("leak", leak, layers), _per_layer("spectral_radius", spectral_radius, layers)
        self._shared = {
            "density": density, "input_scale": input_scale, "bias_scale": bias_scale, "nonlinearity": nonlinearity
        }  # fmt: skip
        self.cells = nn.ModuleList()
        self.solution: RidgeSolution | None = None
        self._online: RecursiveLeastSquares | None = None
        self._factor: torch.Tensor | None = None  # of the rows that fit has seen
        self._memory: Memory | None = None

    # Building.

    def build(self, features: int, outputs: int) -> EchoStateNetwork:
        """Draw the reservoirs for so many inputs and outputs; `fit` does it."""
        self.features, self.outputs = features, outputs
        fed_back = 0 if self.feedback_scale is None else outputs
        more = {} if self.feedback_scale is None else {"fed_back": fed_back, "feedback_scale": self.feedback_scale}
        with DRAWING, torch.random.fork_rng(devices=[]):  # of the one generator that all threads have
            torch.manual_seed(int(self.seed))
            cells = []
            for leak, radius in zip(*self._each, strict=True):
                into = self.units if cells else features
                options: dict[str, Any] = {**self._shared, **more, "leak": leak, "spectral_radius": radius}
                cells += [EchoState(into, self.units, **options, dtype=torch.float64) for _ in range(self.parallel)]
        self.cells = nn.ModuleList(cells)
        self.solution = self._online = self._memory = None
        return self

    @property
    def columns(self) -> int:
        """Numbers per step that the readout sees."""
        return self.units * self.parallel * self.layers + (self.features if self.see_input else 0)

    @property
    def reservoirs(self) -> list[EchoState]:
        """The reservoirs, layer after layer."""
        return cast("list[EchoState]", list(self.cells))

    # Running.

    def initial_memory(self) -> Memory:
        return [cell.initial_state(1) for cell in self.reservoirs], torch.zeros(self.outputs, dtype=torch.float64)

    def states(self, inputs: Any, outputs: Any = None, memory: Memory | None = None) -> np.ndarray:
        """What the readout sees at every step, `[time, columns]`; `outputs` are the teacher's, where they are fed back."""
        x = self._sequence(inputs, "inputs", self.features)
        y = None if outputs is None else self._sequence(outputs, "outputs", self.outputs)
        return torch.cat([x.new_zeros(0, self.columns), *(rows for rows, *_ in self._run(x, y, memory))]).numpy()

    def _run(
        self, x: Tensor, y: Tensor | None, memory: Memory | None = None
    ) -> Iterator[tuple[Float[Tensor, "block columns"], int, Memory]]:
        """What the readout sees, block by block, where each block begins, and the memory after it."""
        states, said = self.initial_memory() if memory is None else memory
        if y is None and self.feedback_scale is not None:
            raise DataError("outputs: got none, and they are fed back; expected the outputs of every step")
        block = max(LEAST_BLOCK, ROWS_PER_COLUMN * self.columns)
        for begin in range(0, len(x), block):
            part, given = x[begin : begin + block], {}
            if y is not None and self.feedback_scale is not None:
                given = {"feedback": torch.cat([said[None], y[begin : begin + block][:-1]])}
            rows, states = self._advance(part, states, given)
            if y is not None:
                said = y[begin : begin + block][-1]
            yield rows, begin, (states, said)

    @torch.no_grad()
    def _advance(
        self, x: Tensor, states: list[EchoStateState], given: dict[str, Tensor]
    ) -> tuple[Tensor, list[EchoStateState]]:
        counts = torch.ones(len(x), dtype=torch.int64)
        seen, after = [x] if self.see_input else [], []
        into = [x] * self.parallel
        for number, cell in enumerate(self.reservoirs):
            column = number % self.parallel
            into[column], state = unroll(cell, into[column], counts, states[number], False, **given)
            seen.append(into[column])
            after.append(state)
        return torch.cat(seen, 1), after

    # Learning.

    def fit(self, inputs: Any, targets: Any) -> EchoStateNetwork:
        """Learn the readout from one sequence or several; the reservoirs are drawn anew from the seed.

        Args:
            inputs: `[time, features]` or `[time]`, or a list of them.
            targets: `[time, outputs]` or `[time]`, or a list of them, as long as the inputs. Steps with a NaN among
                their targets are not learned from.
        """
        pairs = _pairs(inputs, targets)
        if not pairs:
            raise DataError("fit: got no sequence; expected at least one")
        self.build(*(1 if np.ndim(part) < 2 else np.shape(part)[1] for part in pairs[0]))
        return self._fit_readout(pairs)

    def fit_readout(self, inputs: Any, targets: Any) -> EchoStateNetwork:
        """`fit` for reservoirs that are there already: drawn by `build`, and perhaps changed since."""
        if not len(self.cells):
            raise SaikiError("this echo state network has no reservoirs yet; call build or fit first")
        return self._fit_readout(_pairs(inputs, targets))

    def _fit_readout(self, pairs: list[tuple[Any, Any]]) -> EchoStateNetwork:
        ridge = Ridge(self.columns, self.outputs)
        noise = torch.Generator().manual_seed(int(self.seed) + 1)
        for one, (given, wanted) in enumerate(pairs):
            x = self._sequence(given, f"inputs of sequence {one}", self.features)
            y = self._sequence(wanted, f"targets of sequence {one}", self.outputs, missing=self.feedback_scale is None)
            if len(x) != len(y):
                raise DataError(
                    f"sequence {one}: got {len(x)} steps of inputs and {len(y)} of targets; expected as many"
                )
            for rows, begin, _ in self._run(x, y):
                known = y[begin : begin + len(rows)].isfinite().all(1)
                known[: max(self.washout - begin, 0)] = False
                chosen = rows[known]
                if self.noise:
                    inputs = self.features if self.see_input else 0
                    drawn = torch.randn(len(chosen), self.columns - inputs, generator=noise, dtype=torch.float64)
                    chosen[:, inputs:] += self.noise * drawn
                ridge.add(chosen, y[begin : begin + len(rows)][known])
        if ridge.rows < 2:
            raise DataError(f"fit: got {ridge.rows} steps after the washout of {self.washout}; expected at least 2")
        self.solution, self._factor = ridge.solve(self.ridge), ridge.factor[:, : 1 + self.columns]
        self._online = self._memory = None
        return self

    def learn(self, x: Any, y: Any, *, strength: float = 1e-6, forgetting: float = 1.0) -> np.ndarray:
        """Learn one step online (recursive least squares); returns what was predicted before y was seen.

        The first call draws the reservoirs if none are there; strength and forgetting count then. After `fit` it goes on from
        what that found, with the strength of the fit, from the zero state.
        """
        x, y = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (x, y))
        if not len(self.cells):
            self.build(len(x), len(y))
        if self._online is None:
            if self.solution is not None and self._factor is None:
                raise ModelError(
                    "learn goes on from a readout that this network was fitted with, but this one was loaded; "
                    "call fit first, or set solution to None to learn from nothing"
                )
            self._online = RecursiveLeastSquares(self.columns, self.outputs, strength, forgetting)
            self._memory = self.initial_memory()
            if self.solution is not None and self._factor is not None:
                self._online.go_on(self.solution, self._factor)
        target = self._sequence(y[None], "y", self.outputs)[0]
        rows, states = self._one(self._sequence(x[None], "x", self.features), cast("Memory", self._memory))
        self._memory = states, target
        said = self._online.learn(rows[0], target)
        weights = self._online.weights
        self.solution = RidgeSolution(weights[1:], weights[0], self._online.strength)
        return said.numpy()

    @property
    def memory(self) -> Memory:
        """What is remembered after the last `learn`, for `predict` and `generate` to go on from; else the zero state."""
        return self.initial_memory() if self._memory is None else self._memory

    # Answers.

    def predict(self, inputs: Any, memory: Memory | None = None) -> np.ndarray:
        """The output of every step, `[time, outputs]`, from the zero state or from `memory`."""
        return self.predict_from(inputs, memory)[0]

    def predict_from(self, inputs: Any, memory: Memory | None = None) -> tuple[np.ndarray, Memory]:
        """`predict`, and the memory to go on from."""
        self._fitted()
        x = self._sequence(inputs, "inputs", self.features)
        memory = self.initial_memory() if memory is None else memory
        said: list[Tensor] = []
        if self.feedback_scale is None:
            for rows, _, after in self._run(x, None, memory):
                said.append(self._read(rows))
                memory = after
        else:
            with steady(self.reservoirs):
                for step in x.split(1):
                    rows, states = self._one(step, memory)
                    said.append(self._read(rows))
                    memory = states, said[-1][0]
        return torch.cat([x.new_zeros(0, self.outputs), *said]).numpy(), memory

    def generate(self, steps: int, warm: Any, memory: Memory | None = None) -> np.ndarray:
        """Free run, `[steps, outputs]`: after the inputs `warm`, every output is the next input."""
        self._fitted()
        if self.features != self.outputs:
            raise OptionError(
                f"generate: got {self.features} inputs and {self.outputs} outputs; expected as many, to feed them back"
            )
        before = self._sequence(warm, "warm", self.features)
        if not len(before):
            raise DataError("warm: got no step; expected the inputs before the first generated step")
        if self.feedback_scale is not None:  # what it would have said is what came next
            memory = self.initial_memory() if memory is None else memory
            *_, (rows, _, after) = self._run(before, torch.cat([before[1:], before[-1:]]), memory)
            said = self._read(rows[-1:])[0]
            memory = after[0], said
        else:
            first, memory = self.predict_from(before, memory)
            said = torch.from_numpy(first[-1])
        out = [said]
        with steady(self.reservoirs):
            for _ in range(steps - 1):
                rows, states = self._one(said[None], memory)
                said = self._read(rows)[0]
                memory = states, said
                out.append(said)
        return torch.stack(out)[:steps].numpy()

    def _one(self, x: Float[Tensor, "one features"], memory: Memory) -> tuple[Tensor, list[EchoStateState]]:
        states, said = memory
        return self._advance(x, states, {} if self.feedback_scale is None else {"feedback": said[None]})

    def _read(self, rows: Float[Tensor, "steps columns"]) -> Float[Tensor, "steps outputs"]:
        solution = cast("RidgeSolution", self.solution)
        return rows @ solution.weight + solution.intercept

    # Checks, and saving.

    def _fitted(self) -> None:
        if self.solution is None:
            raise SaikiError("this echo state network has learned nothing yet; call fit or learn first")

    def _sequence(self, values: Any, name: str, width: int, missing: bool = False) -> Float[Tensor, "time width"]:
        numbers = torch.as_tensor(np.asarray(values, dtype=np.float64))
        numbers = numbers[:, None] if numbers.dim() == 1 else numbers
        if numbers.dim() != 2 or numbers.shape[1] != width:
            raise DataError(f"{name}: got shape {tuple(np.shape(values))}; expected [time, {width}]")
        bad = numbers.isinf() if missing else ~numbers.isfinite()
        if bad.any():
            step = int(bad.any(1).nonzero()[0])
            raise DataError(f"{name}: got {numbers[step][bad[step]][0].item()} at step {step}; expected finite numbers")
        return numbers

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> EchoStateNetwork:
        """To another device, as asked; float64 it stays, whatever a module that holds it becomes."""

        def placed(values: Tensor) -> Tensor:
            found = fn(values)
            return found if found.dtype == values.dtype else values.to(found.device)

        return super()._apply(placed, recurse)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """A network without reservoirs takes the numbers of inputs and outputs from the state of one that was fitted."""
        first, readout = state_dict.get(f"{prefix}cells.0.weight_ih"), state_dict.get(f"{prefix}_extra_state")
        if not len(self.cells) and first is not None and readout:
            self.build(first.shape[1], readout["weight"].shape[1])
        super()._load_from_state_dict(state_dict, prefix, *args)

    def get_extra_state(self) -> dict[str, Any]:
        s = self.solution
        if s is None:
            return {}
        return {"weight": s.weight, "intercept": s.intercept, "strength": torch.tensor(s.strength, dtype=torch.float64)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.solution = self._factor = self._online = self._memory = None
        if state:
            self.solution = RidgeSolution(state["weight"], state["intercept"], state["strength"].item())


def _numbers(value: Any) -> float | tuple[float, ...]:
    """One number or several, whatever their type."""
    return float(value) if isinstance(value, Real) else tuple(map(float, value))


def _per_layer(name: str, value: float | Sequence[float], layers: int) -> list[float]:
    numbers = _numbers(value)
    values: list[float] = list(numbers) if isinstance(numbers, tuple) else [numbers] * layers
    if len(values) != layers:
        raise OptionError(f"{name}: got {len(values)} values for {layers} layers; expected one, or one per layer")
    return values


def _is_one(values: Sequence[Any]) -> bool:
    """Whether a list is one sequence: of numbers, or of steps that are lists of as many numbers each."""
    if np.ndim(values[0]) == 0:
        return True
    return all(
        isinstance(v, (list, tuple)) and len(v) == len(values[0]) and np.ndim(v[0] if v else 0) == 0 for v in values
    )


def _pairs(inputs: Any, targets: Any) -> list[tuple[Any, Any]]:
    """Sequences and their targets: lists of arrays, or one of each."""
    several = [isinstance(v, (list, tuple)) and len(v) > 0 and not _is_one(v) for v in (inputs, targets)]
    if several[0] != several[1]:
        raise DataError("fit: got one sequence and several; expected inputs and targets alike")
    if not several[0]:
        return [] if isinstance(inputs, (list, tuple)) and not len(inputs) else [(inputs, targets)]
    if len(inputs) != len(targets):
        raise DataError(f"fit: got {len(inputs)} sequences of inputs and {len(targets)} of targets; expected as many")
    return list(zip(cast("Iterable", inputs), cast("Iterable", targets), strict=True))
