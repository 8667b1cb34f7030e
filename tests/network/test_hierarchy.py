"""Documents read sentence by sentence: the batch is the two levels one by one, and padding and neighbours do not matter."""

import pytest
import torch

from saiki.network.labeller import LabelPlan
from saiki.network.options import Network
from saiki.network.reader import TextLabellers

#: units of every sentence of every document; one document has none
DOCUMENTS = [[[3, 1, 4], [1], [5, 9, 2, 6]], [], [[5, 3]], [[5, 8, 9, 7, 9], [3, 2]]]


def batch(documents):
    """As `DocumentTask` makes it, with rubbish in the padding."""
    lengths = torch.tensor([sum(map(len, document)) for document in documents])
    values = torch.full((len(documents), int(lengths.max()), 2), 2)
    for row, document in enumerate(documents):
        units = [(unit, number) for number, sentence in enumerate(document) for unit in sentence]
        values[row, : len(units)] = torch.tensor(units, dtype=torch.long).view(-1, 2)
    return {"values": values, "lengths": lengths, "static": torch.zeros(len(documents), 0)}


@pytest.fixture(params=[("attention",), ("mean", "last")], ids="-".join)
def network(request):
    torch.manual_seed(0)
    plan = LabelPlan(6, 0, 3, 1, request.param, 1)
    options = Network(cell="gru", layers=2, bidirectional=True, dropout=0.4)
    return TextLabellers(plan, options, 5, 10, (0.1, 0.3), by_sentence=True).double().eval()


def two_levels(member, document):
    """The same by hand: every sentence alone, then their vectors."""
    vectors = []
    for sentence in document:
        h, _ = member.reader.words(member.embedding(torch.tensor([sentence])))
        weights = member.reader.attention.score(torch.tanh(member.reader.attention.see(h))).softmax(1)
        vectors.append((weights * h).sum(1))
    g, _ = member.labeller.stack(torch.stack(vectors, 1))
    return member.labeller.head(
        torch.cat([_pooled(member.labeller, kind, g) for kind in member.labeller.plan.pooling], 1)
    )


def _pooled(labeller, kind, g):
    if kind == "attention":
        weights = labeller.attention.score(torch.tanh(labeller.attention.see(g))).softmax(1)
        return (weights * g).sum(1)
    half = g.shape[2] // 2
    return g.mean(1) if kind == "mean" else torch.cat([g[:, -1, :half], g[:, 0, half:]], 1)


def test_it_is_the_two_levels_by_hand(network):
    member, documents = network.members[0], [document for document in DOCUMENTS if document]
    found = member(batch(DOCUMENTS))
    by_hand = torch.cat([two_levels(member, document) for document in documents])
    torch.testing.assert_close(found[[bool(document) for document in DOCUMENTS]], by_hand)
    nothing = torch.zeros(1, member.labeller.head.in_features, dtype=torch.double)
    torch.testing.assert_close(found[1:2], member.labeller.head(nothing))
    torch.testing.assert_close(member(batch([[], []])), member.labeller.head(nothing).expand(2, -1))


def test_gradients_are_those_of_the_two_levels(network):
    member, documents = network.members[0], [document for document in DOCUMENTS if document]
    weights = [weight for weight in member.parameters() if weight.requires_grad]
    found = torch.autograd.grad(member(batch(documents)).square().sum(), weights)
    by_hand = torch.autograd.grad(torch.cat([two_levels(member, d) for d in documents]).square().sum(), weights)
    torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("network", [("attention",)], indirect=True)
def test_what_counts_is_shared_out_among_all_units(network):
    member = network.members[0]
    looks = member.looks(batch(DOCUMENTS))
    lengths = batch(DOCUMENTS)["lengths"]
    torch.testing.assert_close(looks.sum(1), (lengths > 0).double())
    assert (looks[torch.arange(looks.shape[1]) >= lengths[:, None]] == 0).all()
