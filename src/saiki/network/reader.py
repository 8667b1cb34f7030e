"""Documents to scores: the vectors of the units, read by the labelling network."""

from __future__ import annotations

from torch import Tensor, nn

from saiki.network.embedding import Embedding
from saiki.network.labeller import Labeller, Labellers, LabelPlan
from saiki.network.options import Network
from saiki.shapes import Float


class TextLabeller(nn.Module):
    """A `Labeller` whose steps are the vectors of units; the values of a batch are their numbers."""

    def __init__(self, plan: LabelPlan, options: Network, width: int, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.labeller = Labeller(plan, options, width)

    def forward(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch outputs"]:
        return self.labeller({**batch, "values": self.embedding(batch["values"][..., 0])})

    def looks(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch time"]:
        """How much attention gives to every unit."""
        return self.labeller.looks({**batch, "values": self.embedding(batch["values"][..., 0])})


class TextLabellers(Labellers):
    """Several of them, as `Labellers` averages them.

    units    numbers that units have
    dropout  of units, and of the components of their vectors
    vectors  first vectors of some units: their numbers, and `[found, features]`
    """

    def __init__(
        self,
        plan: LabelPlan,
        options: Network,
        width: int,
        units: int,
        dropout: tuple[float, float],
        vectors: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        nn.Module.__init__(self)
        members = []
        for _ in range(plan.members):
            embedding = Embedding(units, plan.features, *dropout)
            if vectors is not None:
                embedding.put(*vectors)
            members.append(TextLabeller(plan, options, width, embedding))
        self.members = nn.ModuleList(members)
        self._fitted(plan)
