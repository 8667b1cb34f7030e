"""The decoder: one token at a time equals all at once; it sees what it should and nothing else."""

from __future__ import annotations

import pytest
import torch

from saiki.decoding import select
from saiki.network.decoder import Translator
from saiki.network.options import Network

SOURCE, LENGTHS = torch.tensor([[1, 2, 3, 4], [4, 2, 0, 0], [3, 0, 0, 0]]), torch.tensor([4, 2, 1])
TARGET, STEPS = torch.tensor([[1, 2, 3], [3, 3, 0], [2, 0, 0]]), torch.tensor([3, 2, 1])
KINDS = [
    {},
    {"kind": "dot"},
    {"kind": "general"},
    {"kind": None},
    {"input_feeding": True},
    {"coverage": True},
    {"kind": None, "input_feeding": True},
]


def _translator(cell="gru", layers=2, **decoder):
    options = Network(cell=cell, layers=layers, bidirectional=decoder.get("kind") != "dot")
    net = Translator(5, 6, options, 8, 4, **decoder).double().eval()
    if net.decoder.coverage is not None:
        torch.nn.init.constant_(net.decoder.coverage, -0.7)
    return net


def _step_by_step(net):
    memory = net.encode(SOURCE, LENGTHS)
    state, scores = net.decoder.initial_state(memory), []
    for t in range(TARGET.shape[1]):
        said, state = net.decoder.step(TARGET[:, t], state, memory)
        scores.append(said)
    return torch.stack(scores, 1)[torch.arange(TARGET.shape[1]) < STEPS[:, None]]


@pytest.mark.parametrize("decoder", KINDS, ids=str)
@pytest.mark.parametrize(("cell", "layers"), [("gru", 1), ("lstm", 2), ("mingru", 3)])
def test_one_at_a_time_is_all_at_once(cell, layers, decoder):
    net = _translator(cell, layers, **decoder)
    torch.testing.assert_close(_step_by_step(net), net(SOURCE, LENGTHS, TARGET, STEPS))


@pytest.mark.parametrize("decoder", KINDS, ids=str)
def test_padding_and_other_rows_never_matter(decoder):
    net = _translator(**decoder)
    whole = net(SOURCE, LENGTHS, TARGET, STEPS)
    other = torch.where(torch.arange(4) < LENGTHS[:, None], SOURCE, 1), torch.where(TARGET > 0, TARGET, 5)
    torch.testing.assert_close(net(other[0], LENGTHS, other[1], STEPS), whole)
    alone = net(SOURCE[1:2, :2], LENGTHS[1:2], TARGET[1:2, :2], STEPS[1:2])
    torch.testing.assert_close(alone, whole[3:5])


@pytest.mark.parametrize("decoder", KINDS, ids=str)
def test_the_answer_depends_on_source_and_past_alone(decoder):
    net = _translator(**decoder)
    whole = net(SOURCE, LENGTHS, TARGET, STEPS)
    later = TARGET.clone()
    later[0, 2] = 5
    changed = net(SOURCE, LENGTHS, later, STEPS)
    torch.testing.assert_close(changed[:2], whole[:2])
    assert not torch.allclose(changed[2], whole[2])
    source = SOURCE.clone()
    source[0, 3] = 1
    assert not torch.allclose(net(source, LENGTHS, TARGET, STEPS)[:3], whole[:3])


def test_selected_rows_go_on_as_they_were():
    net = _translator("lstm", input_feeding=True, coverage=True)
    memory = net.encode(SOURCE, LENGTHS)
    _, state = net.decoder.step(TARGET[:, 0], net.decoder.initial_state(memory), memory)
    rows = torch.tensor([2, 0, 0])
    chosen, _ = net.decoder.step(TARGET[rows, 1], select(state, rows), select(memory, rows))
    whole, _ = net.decoder.step(TARGET[:, 1], state, memory)
    torch.testing.assert_close(chosen, whole[rows])


def test_every_weight_learns():
    net = _translator(coverage=True, input_feeding=True)
    net(SOURCE, LENGTHS, TARGET, STEPS).logsumexp(1).sum().backward()
    idle = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []
