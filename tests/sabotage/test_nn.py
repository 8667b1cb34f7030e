"""The comparison of saiki.nn with torch.nn can fail: each broken layer is caught by a case of the one list."""

from __future__ import annotations

import pytest
import torch
from tests.cases import CASES
from tests.nn.pairs import Pair

from saiki import kernels, nn
from saiki.network.packing import packing


def swap_gates(patch):
    """Two blocks of the recurrent weights change places."""
    honest = nn._Recurrent._weights

    def broken(self, number):
        first, second, *rest = honest(self, number)
        blocks = list(second.chunk(len(first) // self.hidden_size))
        blocks[0], blocks[1] = blocks[1], blocks[0]
        return (first, torch.cat(blocks), *rest)

    patch.setattr(nn._Recurrent, "_weights", broken)


def second_bias_forgotten(patch):
    """b_hh is not added."""
    honest = nn._Recurrent._weights
    zero = lambda self, number: (*(w := honest(self, number))[:3], torch.zeros_like(w[3]))  # noqa: E731
    patch.setattr(nn._Recurrent, "_weights", zero)


def lengths_ignored(patch):
    """Padded steps are run like valid ones."""
    patch.setattr(nn, "packing", lambda lengths, *rest: packing(None, *rest))
    patch.setattr(nn, "checked_lengths", lambda *given: None)


def reverse_runs_forward(patch):
    """Both directions start at the beginning."""
    honest = kernels.unroll_layer

    def broken(kernel, x, directions, *rest, **options):
        return honest(kernel, x, [(state, weights, False) for state, weights, _ in directions], *rest, **options)

    patch.setattr(kernels, "unroll_layer", broken)


def initial_state_without_gradient(patch):
    """The gradient of hx is dropped; without hx there is none, and `_initial` gives None."""
    honest = nn._Recurrent._initial

    def cut(self, *given):
        states = honest(self, *given)
        return states and tuple(part.detach() for part in states)

    patch.setattr(nn._Recurrent, "_initial", cut)


def initial_state_ignored(patch):
    """hx is taken for zeros."""
    honest = nn._Recurrent._initial
    patch.setattr(nn._Recurrent, "_initial", lambda self, x, hx, *rest: honest(self, x, None, *rest))


def final_states_left_sorted(patch):
    """The final states stay in the order of the lengths."""
    honest = nn._Recurrent._forward_padded

    def broken(self, x, states, lengths, *rest):
        output, final = honest(self, x, states, lengths, *rest)
        return output, nn._reorder(final, torch.argsort(lengths, descending=True))

    patch.setattr(nn._Recurrent, "_forward_padded", broken)


def layers_share_weights(patch):
    """The layers after the second use its weights."""
    honest = nn._Recurrent._weights
    patch.setattr(nn._Recurrent, "_weights", lambda self, number: honest(self, min(number, 3)))


def layer_weight_frozen(patch):
    """No gradient reaches the recurrent weights."""
    honest = nn._Recurrent._weights
    cut = lambda self, number: tuple(w.detach() if i == 1 else w for i, w in enumerate(honest(self, number)))  # noqa: E731
    patch.setattr(nn._Recurrent, "_weights", cut)


BROKEN = [
    (swap_gates, "gru", "time-63"),
    (swap_gates, "lstm", "ragged"),
    (second_bias_forgotten, "rnn-tanh", "one-of-everything"),
    (lengths_ignored, "lstm", "ragged"),
    (lengths_ignored, "gru", "only-empty-rows"),
    (reverse_runs_forward, "gru", "both-directions"),
    (initial_state_without_gradient, "lstm", "batch-1"),
    (initial_state_without_gradient, "gru", "only-empty-rows"),
    (initial_state_ignored, "rnn-tanh", "no-time"),
    (final_states_left_sorted, "gru", "ragged"),
    (layers_share_weights, "lstm", "both-directions"),
    (layer_weight_frozen, "gru", "width-17"),
]


@pytest.mark.parametrize(("broken", "kind", "case"), BROKEN)
def test_a_broken_layer_is_caught(broken, kind, case, monkeypatch):
    if broken is reverse_runs_forward and not kernels.report()["native"]:
        pytest.skip("the native extension is not built")
    Pair(kind, CASES[case]).assert_equal(1e-10)
    broken(monkeypatch)
    with pytest.raises(AssertionError, match=r"differs|shape|finite"):
        Pair(kind, CASES[case]).assert_equal(1e-10)
