"""Other libraries' recurrent layers for `speed.py`: JAX (a jitted scan), Keras (on JAX) and ONNX Runtime, whichever are installed.

A peer computes the same layer from the same weights on a full batch. What it needs that is not the computation (tracing, compiling,
copying weights and inputs in) happens before it is timed, and so does reading its answers, which are checked. `train` is None
where a library has no gradients.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

Answers = list[np.ndarray]


class Peer(NamedTuple):
    """One library at one point; the calls return all results: outputs, final states, then gradients of x and weights."""

    name: str
    forward: Callable[[], Any]
    train: Callable[[], Any] | None
    read: Callable[[Any], Any] = list  # its results in torch's layout; gradients of weights may be left out


def peers(cell: str, module: nn.Module, x: Tensor, gradient: Tensor, threads: int) -> list[Peer]:
    """Those installed, for inputs and output gradients `[time, batch, width]`."""
    weights = [p.detach().numpy() for p in module.parameters()]
    given = cell, weights, x.detach().numpy(), gradient.numpy(), threads
    return [MAKERS[name](*given) for name in installed()]


def installed() -> list[str]:
    """The names of those that take part."""
    return [name for name in MAKERS if find_spec(name)]


def limit_threads(threads: int) -> None:
    """JAX takes its number of threads from the environment, before it is imported: all of the machine's, or one."""
    os.environ["KERAS_BACKEND"] = "jax"
    if threads == 1:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()


def _jax(cell: str, weights: Answers, x: np.ndarray, gradient: np.ndarray, threads: int) -> Peer:
    import jax
    import jax.numpy as jnp

    def step_of(w_hh: Any, b_hh: Any) -> Callable[..., Any]:
        def rnn(state, from_x):
            h = jnp.tanh(from_x + state[0] @ w_hh.T + b_hh)
            return (h,), h

        def gru(state, from_x):
            (xr, xz, xn), (hr, hz, hn) = jnp.split(from_x, 3, -1), jnp.split(state[0] @ w_hh.T + b_hh, 3, -1)
            z = jax.nn.sigmoid(xz + hz)
            h = (1 - z) * jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn) + z * state[0]
            return (h,), h

        def lstm(state, from_x):
            i, f, g, o = jnp.split(from_x + state[0] @ w_hh.T + b_hh, 4, -1)
            c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        return {"rnn": rnn, "gru": gru, "lstm": lstm}[cell]

    def forward(x, w_ih, w_hh, b_ih, b_hh):
        zeros = jnp.zeros((x.shape[1], w_hh.shape[1]), x.dtype)
        state = (zeros, zeros) if cell == "lstm" else (zeros,)
        final, y = jax.lax.scan(step_of(w_hh, b_hh), state, x @ w_ih.T + b_ih)
        return y, *final

    def train(gradient, *given):
        (y, *final), pull = jax.vjp(forward, *given)
        return y, *final, *pull((gradient, *[jnp.zeros_like(f) for f in final]))

    run, back = jax.jit(forward), jax.jit(train)
    given = [jnp.asarray(a) for a in (x, *weights)]
    above = jnp.asarray(gradient)
    return Peer("jax", lambda: jax.block_until_ready(run(*given)), lambda: jax.block_until_ready(back(above, *given)))


def _in_order(weights: Answers, order: list[int]) -> Answers:
    """The gates of every weight in another order."""
    return [w.reshape(len(order), len(w) // len(order), -1)[order].reshape(w.shape) for w in weights]


#: order of the gates in Keras, as numbers of those of torch
KERAS_GATES = {"rnn": [0], "gru": [1, 0, 2], "lstm": [0, 1, 2, 3]}


def _keras(cell: str, weights: Answers, x: np.ndarray, gradient: np.ndarray, threads: int) -> Peer:
    import jax
    import jax.numpy as jnp
    import keras

    width = weights[1].shape[1]
    w_ih, w_hh, b_ih, b_hh = _in_order(weights, KERAS_GATES[cell])
    layers = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
    layer = layers[cell](width, return_sequences=True, return_state=True)
    rows = np.ascontiguousarray(x.transpose(1, 0, 2))  # its own layout: [batch, time, width]
    layer.build(rows.shape)
    layer.set_weights([w_ih.T, w_hh.T, np.stack([b_ih, b_hh]) if cell == "gru" else b_ih + b_hh])
    constant = [v.value for v in layer.non_trainable_variables]

    def forward(given, own):
        return layer.stateless_call(own, constant, given)[0]

    def train(above, given, own):
        (y, *final), pull = jax.vjp(forward, given, own)
        into, of_weights = pull(type_of((above, *[jnp.zeros_like(f) for f in final])))
        return (y, *final, into), of_weights

    type_of = type(forward(rows[:, :1], [v.value for v in layer.trainable_variables]))
    run, back = jax.jit(forward), jax.jit(train)
    given, own = jnp.asarray(rows), [v.value for v in layer.trainable_variables]
    above = jnp.asarray(np.ascontiguousarray(gradient.transpose(1, 0, 2)))

    def read(answers: Any) -> Answers:
        y, *final, into = map(np.asarray, answers[0])
        return [y.transpose(1, 0, 2), *final, into.transpose(1, 0, 2)]

    return Peer(
        "keras",
        lambda: jax.block_until_ready(run(given, own)),
        lambda: jax.block_until_ready(back(above, given, own)),
        read,
    )


def session_options(threads: int) -> Any:
    """Threads that work as usual during a call, and do not take the others' processors after it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


#: order of the gates in ONNX, as numbers of those of torch
ONNX_GATES = {"rnn": [0], "gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}


def _onnxruntime(cell: str, weights: Answers, x: np.ndarray, gradient: np.ndarray, threads: int) -> Peer:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    width = weights[1].shape[1]
    w_ih, w_hh, b_ih, b_hh = _in_order(weights, ONNX_GATES[cell])
    constants = {"w": w_ih[None], "r": w_hh[None], "b": np.concatenate([b_ih, b_hh])[None]}
    outputs = ["y", "h", "c"][: 3 if cell == "lstm" else 2]
    more = {"linear_before_reset": 1} if cell == "gru" else {}
    node = helper.make_node(cell.upper(), ["x", *constants], outputs, hidden_size=width, **more)
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = session_options(threads)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run() -> Answers:
        return [a.reshape(x.shape[0], -1, width) if i == 0 else a[0] for i, a in enumerate(session.run(None, {"x": x}))]

    return Peer("onnxruntime", run, None)


def step_onnxruntime(cell: str, module: nn.Module, threads: int = 1) -> Callable[[Tensor], np.ndarray]:
    """A layer that takes one more step of one sequence, its state handed back to it."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = [p.detach().numpy() for p in module.parameters()]
    width = weights[1].shape[1]
    w_ih, w_hh, b_ih, b_hh = _in_order(weights, ONNX_GATES[cell])
    constants = {"w": w_ih[None], "r": w_hh[None], "b": np.concatenate([b_ih, b_hh])[None]}
    states = ["h", "c"][: 2 if cell == "lstm" else 1]
    node = helper.make_node(
        cell.upper(), ["x", *constants, "", *states], ["", *(f"{s}_n" for s in states)], hidden_size=width,
        **({"linear_before_reset": 1} if cell == "gru" else {}),
    )  # fmt: skip
    sizes = {"x": (1, 1, w_ih.shape[1]), **dict.fromkeys(states, (1, 1, width))}
    graph = helper.make_graph(
        [node],
        "step",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()],
        [helper.make_tensor_value_info(f"{s}_n", TensorProto.FLOAT, None) for s in states],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = session_options(threads)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given: dict[str, Any] = {s: np.zeros((1, 1, width), np.float32) for s in states}

    def push(x: Tensor) -> np.ndarray:
        given["x"] = x.numpy().reshape(1, 1, -1)
        given.update(zip(states, session.run(None, given), strict=True))
        return given["h"]

    return push


MAKERS: dict[str, Callable[..., Peer]] = {"jax": _jax, "keras": _keras, "onnxruntime": _onnxruntime}
