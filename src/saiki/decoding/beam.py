"""Beam search: the likeliest answers as a whole, not token by token."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from saiki.decoding import Step, select
from saiki.errors import OptionError
from saiki.shapes import Int


class Candidate(NamedTuple):
    """An answer, its log-probability (the end included), and that over the length penalty, by which answers are ranked."""

    tokens: list[int]
    log_probability: float
    score: float


@torch.no_grad()
def beam(
    step: Step,
    state: Any,
    first: Int[Tensor, "rows"],
    *,
    end: int,
    length: int | Int[Tensor, "rows"],
    width: int = 5,
    penalty: float = 1.0,
    block: int = 0,
) -> list[list[Candidate]]:
    """The best `width` answers of every row, the best one first.

        score = log p(y) / ((5 + |y|) / 6)^penalty

    Args:
        first: the token before each answer; `end`: the token that ends one, left out of it.
        length: tokens at most, of all or of each; what has not ended by then ends there.
        block: no n-gram of so many tokens comes twice in an answer; 0 allows all. Where nothing may follow, answers end.

    Rows are independent, those that are done cost nothing; a width of 1 is greedy choice.

    Source: length penalty: Wu et al. 2016 (arXiv 1609.08144), equation 14, without coverage; blocked n-grams: Paulus et
    al. 2017 (arXiv 1705.04304), section 2.5.
    """
    most = torch.as_tensor(length, device=first.device).expand(len(first))
    if width < 1 or block < 0 or (most < 0).any():
        raise OptionError(f"beam: got width {width}, length {length}, block {block}; expected at least 1, 0 and 0")
    search = _Search(first, state, end, width, penalty, block)
    search.cap(most)
    while len(search.rows):
        search.advance(step)
        search.cap(most)
    return [sorted(found, key=lambda c: -c.score)[:width] for found in search.found]


class _Search:
    """The open answers of all rows, `width` each; those with a log-probability of -∞ are none."""

    def __init__(self, first: Tensor, state: Any, end: int, width: int, penalty: float, block: int) -> None:
        self.end, self.width, self.penalty, self.block = end, width, penalty, block
        self.found: list[list[Candidate]] = [[] for _ in range(len(first))]
        self.rows = torch.arange(len(first), device=first.device)
        every = self.rows.repeat_interleave(width)
        self.last, self.state = first[every], select(state, every)
        self.tokens = first.new_empty(len(first), width, 0)
        self.open = torch.full((len(first), width), -torch.inf, device=first.device)
        self.open[:, 0] = 0

    def advance(self, step: Step) -> None:
        """One more token of every open answer."""
        scores, self.state = step(self.last, self.state)
        kinds = scores.shape[1]
        chances = scores.log_softmax(1).view(len(self.rows), self.width, kinds)
        if self.block:
            self._block(chances)
        totals = (self.open[..., None] + chances).flatten(1)
        best, where = totals.topk(min(2 * self.width, totals.shape[1]), 1)  # at most `width` of them end
        for row in (~best.isfinite().any(1)).nonzero().flatten().tolist():  # nothing may follow
            self._stop(row)
        parent, token = where // kinds, where % kinds
        self._ended(best, parent, token)
        best = best.masked_fill(token == self.end, -torch.inf)
        self.open, chosen = best.topk(self.width, 1)
        self._keep(parent.gather(1, chosen), token.gather(1, chosen))

    def _ended(self, best: Tensor, parent: Tensor, token: Tensor) -> None:
        """Take down the answers that end among the best `width`."""
        ends = (token[:, : self.width] == self.end) & best[:, : self.width].isfinite()
        for row, place in ends.nonzero().tolist():
            tokens = self.tokens[row, parent[row, place]].tolist()
            self._found(row, tokens, float(best[row, place]), len(tokens) + 1)

    def _found(self, row: int, tokens: list[int], chance: float, length: int) -> None:
        self.found[int(self.rows[row])].append(Candidate(tokens, chance, self._score(chance, length)))

    def _score(self, chance: float, length: int) -> float:
        return chance / ((5 + length) / 6) ** self.penalty

    def _going(self, row: int, best: float) -> bool:
        """Whether a row has fewer than `width` answers, or an open one that would be among them if it ended now."""
        scores = sorted((c.score for c in self.found[row]), reverse=True)
        return len(scores) < self.width or self._score(best, self.tokens.shape[2] + 1) > scores[self.width - 1]

    def _keep(self, parent: Tensor, token: Tensor) -> None:
        """Go on with these; rows with `width` answers and nothing better open are done."""
        self.tokens = torch.cat([self.tokens.gather(1, parent[..., None].expand_as(self.tokens)), token[..., None]], 2)
        going = [self._going(*of) for of in zip(self.rows.tolist(), self.open[:, 0].tolist(), strict=True)]
        self.last = token.flatten()
        self._only(torch.tensor(going, device=token.device) & self.open.isfinite().any(1), parent)

    def _only(self, kept: Tensor, parent: Tensor | None = None) -> None:
        """Go on with some of the rows; `parent` is where the state of each answer stood in its row."""
        on = kept.nonzero().squeeze(1)
        places = torch.arange(self.width, device=on.device)[None].expand(len(on), -1)
        beams = on[:, None] * self.width
        self.rows, self.open, self.tokens = self.rows[on], self.open[on], self.tokens[on]
        self.last = self.last[(beams + places).flatten()]
        self.state = select(self.state, (beams + (places if parent is None else parent[on])).flatten())

    def _block(self, chances: Tensor) -> None:
        """Forbid the tokens that would repeat an n-gram."""
        for row, beams in enumerate(self.tokens.tolist()):
            for place, tokens in enumerate(beams):
                head = tokens[len(tokens) - self.block + 1 :]
                if len(tokens) < self.block:
                    continue
                grams = zip(*(tokens[k:] for k in range(self.block)), strict=False)
                chances[row, place, [gram[-1] for gram in grams if list(gram[:-1]) == head]] = -torch.inf

    def cap(self, most: Tensor) -> None:
        """Rows whose answers are as long as they may be end there, where nothing better has ended."""
        full = most[self.rows] <= self.tokens.shape[2]
        for row in full.nonzero().flatten().tolist():
            self._stop(row)
        if full.any():
            self._only(~full)

    def _stop(self, row: int) -> None:
        """The open answers of a row end as they are, where nothing more probable has ended: by scores, those that never end
        would gain from their length."""
        found = self.found[int(self.rows[row])]
        ended = max((c.log_probability for c in found), default=-torch.inf)
        for tokens, chance in zip(self.tokens[row].tolist(), self.open[row].tolist(), strict=True):
            if chance > -torch.inf and (len(found) < self.width or chance > ended):
                self._found(row, tokens, chance, len(tokens))
