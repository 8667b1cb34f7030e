"""The conformance checks of cells can fail: each broken twin is caught by the check that is meant to catch it."""

from __future__ import annotations

import pytest
import torch
from tests.conformance import cells as conformance
from tests.conformance.cells import run_reference
from tests.oracles import gru as gru_oracle
from tests.oracles import lstm as lstm_oracle
from torch import Tensor, nn

from saiki.cells.base import Cell, GatedCell
from saiki.cells.gru import GRU, GRUState
from saiki.cells.lstm import LSTM, LSTMState
from saiki.network.packing import packing


class SwappedGates(GRU):
    """Reset and update change places."""

    def recur(self, h: Tensor) -> Tensor:
        r, z, n = super().recur(h).chunk(3, 1)
        return torch.cat([z, r, n], 1)


class WrongStart(GRU):
    """The state begins at one instead of zero."""

    def initial_state(self, batch: int) -> GRUState:
        return GRUState(super().initial_state(batch).h + 1)


class SinglePrecisionStart(GRU):
    """The initial state is float32 whatever the weights are."""

    def initial_state(self, batch: int) -> GRUState:
        return GRUState(super().initial_state(batch).h.float())


class ZeroedGradient(GRU):
    """No gradient flows through the recurrent product."""

    def recur(self, h: Tensor) -> Tensor:
        return super().recur(h.detach())


class ForgetGateWithoutGradient(LSTM):
    """A gate's gradient is dropped; everything else flows."""

    def project(self, x: Tensor, **given: Tensor) -> Tensor:
        i, f, g, o = super().project(x).chunk(4, 1)
        return torch.cat([i, f.detach(), g, o], 1)


class LooksAhead(GRU):
    """The projection of a step depends on the other steps."""

    def project(self, x: Tensor, **given: Tensor) -> Tensor:
        gates = super().project(x)
        return gates - gates.mean(0)


class LooksAside(GRU):
    """A row's state depends on its neighbours."""

    def step(self, gates: Tensor, state: GRUState) -> GRUState:
        (h,) = super().step(gates, state)
        return GRUState(h - h.mean(0))


class CountsRows(GRU):
    """A row's state depends on its place in the batch."""

    def step(self, gates: Tensor, state: GRUState) -> GRUState:
        (h,) = super().step(gates, state)
        return GRUState(h + torch.arange(len(h), dtype=h.dtype)[:, None])


class HiddenMemory(GRU):
    """Something is remembered on the module, not in the state."""

    calls = 0

    def step(self, gates: Tensor, state: GRUState) -> GRUState:
        self.calls += 1
        (h,) = super().step(gates, state)
        return GRUState(h + 1e-3 * self.calls)


class WritesItsState(LSTM):
    """The state that was given is overwritten."""

    def step(self, gates: Tensor, state: LSTMState) -> LSTMState:
        after = super().step(gates, state)
        state.c.mul_(0)
        return after


class UnregisteredWeight(GRU):
    """A weight that the state dict does not have."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__(features, width)
        self.gain = torch.ones(3 * width, dtype=torch.float64)

    def project(self, x: Tensor, **given: Tensor) -> Tensor:
        return super().project(x) * self.gain


class UnusedWeights(GRU):
    """The weights do not reach the answer."""

    def project(self, x: Tensor, **given: Tensor) -> Tensor:
        return x.sum(1, keepdim=True).expand(-1, 3 * self.width) + 0 * super().project(x)

    def recur(self, h: Tensor) -> Tensor:
        return 0 * super().recur(h)


def mask_dropped(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """Padded steps are run like valid ones; only the outputs are masked."""
    y, final = run_reference(cell, x, None, state, reverse)
    if lengths is None:
        return y, final
    return torch.where((torch.arange(x.shape[1]) < lengths[:, None])[..., None], y, 0), final


def final_at_the_padded_end(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """Right outputs; the final state is that of the longest row's last step, padding run as zeros."""
    y, _ = run_reference(cell, x, lengths, state, reverse)
    clean = x if lengths is None else torch.where((torch.arange(x.shape[1]) < lengths[:, None])[..., None], x, 0)
    return y, run_reference(cell, clean, None, state, reverse)[1]


def reverse_from_the_padded_end(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """Backwards, a row starts at the end of the batch: its first steps are padding."""
    if not reverse or lengths is None:
        return run_reference(cell, x, lengths, state, reverse)
    y, final = run_reference(cell, x.flip(1), None, state)
    return torch.where((torch.arange(x.shape[1]) < lengths[:, None])[..., None], y.flip(1), 0), final


def state_not_carried(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """The given state is forgotten."""
    return run_reference(cell, x, lengths, None, reverse)


def empty_rows_reset(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """Rows of length 0 end in zeros instead of their initial state."""
    y, final = run_reference(cell, x, lengths, state, reverse)
    if lengths is None:
        return y, final
    return y, type(final)(*(torch.where(lengths[:, None] > 0, part, 0) for part in final))


def final_left_sorted(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """The final states stay in the order of the lengths."""
    y, final = run_reference(cell, x, lengths, state, reverse)
    layout = packing(lengths, x.shape[0], x.shape[1])
    return y, type(final)(*map(layout.sort, final))


def state_left_unsorted(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """The initial states are not brought into the order of the lengths."""
    layout = packing(lengths, x.shape[0], x.shape[1])
    state = None if state is None else type(state)(*map(layout.unsort, state))
    return run_reference(cell, x, lengths, state, reverse)


def first_step_twice(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """An off-by-one: every output is that of the step before."""
    y, final = run_reference(cell, x, lengths, state, reverse)
    return torch.cat([y[:, :1], y[:, :-1]], 1), final


def rows_rounded(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """The answer is a little different each time."""
    y, final = run_reference(cell, x, lengths, state, reverse)
    return y + 1e-6 * torch.rand_like(y), final


def input_overwritten(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """The buffer of the input is used for something else."""
    answer = run_reference(cell, x, lengths, state, reverse)
    if not torch.is_grad_enabled():
        x.zero_()
    return answer


c = conformance
BROKEN = [
    (SwappedGates, run_reference, c.matches_the_oracle),
    (WrongStart, run_reference, c.starts_as_the_oracle),
    (SinglePrecisionStart, run_reference, c.starts_as_the_oracle),
    (ZeroedGradient, run_reference, c.gradients_are_right),
    (ForgetGateWithoutGradient, run_reference, c.gradients_are_right),
    (LooksAhead, run_reference, c.stream_is_whole),
    (LooksAside, run_reference, c.batch_is_one_by_one),
    (CountsRows, run_reference, c.batch_is_one_by_one),
    (CountsRows, run_reference, c.permuted_batch_is_permuted_answer),
    (HiddenMemory, run_reference, c.stream_is_whole),
    (HiddenMemory, run_reference, c.answers_repeat),
    (WritesItsState, run_reference, c.inputs_are_left_alone),
    (UnregisteredWeight, run_reference, c.state_dict_goes_round),
    (UnusedWeights, run_reference, c.state_dict_goes_round),
    (GRU, mask_dropped, c.padding_never_matters),
    (GRU, mask_dropped, c.batch_is_one_by_one),
    (LSTM, mask_dropped, c.matches_the_oracle),
    (LSTM, final_at_the_padded_end, c.batch_is_one_by_one),
    (GRU, reverse_from_the_padded_end, c.reverse_twice_is_identity),
    (GRU, reverse_from_the_padded_end, c.padding_never_matters),
    (LSTM, state_not_carried, c.split_and_carry_is_unsplit),
    (LSTM, state_not_carried, c.matches_the_oracle),
    (GRU, empty_rows_reset, c.empty_rows_keep_their_state),
    (GRU, final_left_sorted, c.permuted_batch_is_permuted_answer),
    (LSTM, state_left_unsorted, c.matches_the_oracle),
    (GRU, first_step_twice, c.stream_is_whole),
    (GRU, rows_rounded, c.answers_repeat),
    (GRU, input_overwritten, c.inputs_are_left_alone),
]


def _make(kind: type[Cell]) -> Cell:
    assert issubclass(kind, GatedCell)
    return kind(conformance.FEATURES, 4).double()


@pytest.mark.parametrize(("kind", "run", "check"), BROKEN, ids=lambda part: getattr(part, "__name__", None))
def test_the_check_fails_on_the_broken_twin(kind, run, check):
    oracle = lstm_oracle if issubclass(kind, LSTM) else gru_oracle
    more = (oracle, {}) if check in conformance.ORACLE_CHECKS else ()
    with pytest.raises((AssertionError, RuntimeError)) as caught:
        check(_make(kind), run, *more)
    if caught.type is RuntimeError:  # gradcheck's own error
        assert "Jacobian" in str(caught.value)


def test_every_check_has_a_broken_twin():
    assert {check for *_, check in BROKEN} == {*conformance.LAWS, *conformance.ORACLE_CHECKS}


@pytest.mark.parametrize("check", conformance.LAWS, ids=lambda law: law.__name__)
def test_the_same_checks_pass_on_a_cell_from_elsewhere(check):
    """They are not tied to the library's own classes."""

    class Leaky(nn.Module):
        """h' = 0.9 h + W x, with nothing of saiki in it."""

        width = output_width = 4
        needs = frozenset()

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, conformance.FEATURES))

        def project(self, x):
            return x @ self.weight.T

        def initial_state(self, batch):
            return GRUState(self.weight.new_zeros(batch, 4))

        def step(self, gates, state):
            return GRUState(0.9 * state.h + gates)

        def output(self, gates, state):
            return state.h

    class Foreign(Leaky, Cell):
        pass

    check(Foreign().double(), run_reference)
