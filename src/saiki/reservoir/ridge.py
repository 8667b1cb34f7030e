"""Ridge regression over any number of rows in the memory of one triangular factor, and its online form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from saiki.errors import DataError, OptionError
from saiki.shapes import Float

#: strengths that `solve` tries where none is given, as shares of the largest squared singular value
SHARES = tuple(10.0**power for power in range(-32, 3))


@dataclass(frozen=True)
class RidgeSolution:
    """y = x @ weight + intercept, and how the strength was found."""

    weight: Float[Tensor, "features outputs"]
    intercept: Float[Tensor, "outputs"]
    strength: float
    strengths: tuple[float, ...] = ()  # all that were tried
    scores: tuple[float, ...] = ()  # their generalised cross-validation scores, mean squared errors


class Ridge:
    """Linear least squares with an L2 penalty and an intercept that is not penalised.

        min_W,c  Σ_i |y_i - W' x_i - c|² + strength · |W|²

    Rows come in blocks; of all of them only the triangular factor R of [1 X Y] = QR is kept, in float64, and made anew
    with every block (blockwise QR). The normal equations X'X would square the condition number, and lose half of the
    digits. The rows of R below the first are the factor of X and Y with their means taken off.

    Source: Golub and Van Loan, "Matrix Computations", 4th ed. 2013, sections 5.3 and 6.1; generalised cross-validation:
    Golub, Heath and Wahba 1979 (Technometrics 21), equation 1.4 with the trace from the singular values.
    """

    def __init__(self, features: int, outputs: int) -> None:
        self.features, self.outputs, self.rows = features, outputs, 0
        self.factor = torch.zeros(0, 1 + features + outputs, dtype=torch.float64)

    def add(
        self, x: Float[Tensor, "rows features"], y: Float[Tensor, "rows outputs"], weight: Tensor | None = None
    ) -> None:
        """Take more rows, each with a weight `[rows]` or 1; blocks of several times `features` rows are the fastest."""
        if x.shape != (len(x), self.features) or y.shape != (len(x), self.outputs):
            raise DataError(
                f"ridge: got x {tuple(x.shape)} and y {tuple(y.shape)}; "
                f"expected [rows, {self.features}] and [rows, {self.outputs}]"
            )
        if not len(x):
            return
        block = torch.cat([x.new_ones(len(x), 1), x, y], 1).to(self.factor)
        block = block if weight is None else block * weight.to(block).sqrt()[:, None]
        if not block.isfinite().all():
            raise DataError(
                "ridge: got NaN or infinite values; expected finite rows (leave out steps without a target)"
            )
        self.factor = torch.linalg.qr(torch.cat([self.factor, block]), mode="r").R
        self.rows += len(x)

    def solve(self, strength: float | tuple[float, ...] | None = None) -> RidgeSolution:
        """The weights for one strength, for the best of several, or (None) for the best of a wide grid.

        The best has the least generalised cross-validation score, n · RSS / (n - 1 - tr H)², computed for all strengths
        from one singular value decomposition of R.
        """
        if self.rows < 2:
            raise DataError(f"ridge: got {self.rows} rows; expected at least 2")
        x, y = self.factor[1:, 1 : 1 + self.features], self.factor[1:, 1 + self.features :]
        strength = (0.0,) if strength == 0 else strength
        if strength is not None and not isinstance(strength, tuple):
            return self._solution(self._one(x, y, _checked(strength)), float(strength))
        u, s, vh = torch.linalg.svd(x, full_matrices=False)
        s = torch.where(s > self._rounding(), s, 0.0)
        top = s.max().square().item() if s.numel() else 0.0
        tried = tuple(share * top for share in SHARES) if strength is None else tuple(map(_checked, strength))
        if not top:
            return self._solution(x.new_zeros(self.features, self.outputs), 0.0)
        into, square = u.T @ y, s.square()
        outside = (y.square().sum() - into.square().sum()).clamp_min(0)
        scores = []
        for value in tried:
            kept = square / (square + value) if value else (s > 0).to(s)
            free = self.rows - 1 - kept.sum()
            error = outside + ((1 - kept)[:, None] * into).square().sum()
            scores.append((error * self.rows / free.square()).item() if free > 0.5 else float("inf"))
        best = tried[min(range(len(tried)), key=scores.__getitem__)]
        inverse = s / (square + best) if best else torch.where(s > 0, 1 / s, 0)
        weight = vh.T @ (inverse[:, None] * into)
        return self._solution(weight, best, tried, tuple(score / self.outputs for score in scores))

    def leverage(self, x: Float[Tensor, "rows features"], strength: float) -> Float[Tensor, "rows"]:
        """How much each of these rows counts for its own answer, 0 to 1: its error where it is left out is (y - ŷ) / (1 - h).

        h_i = 1 / n + (x_i - x̄)' (X'X + strength)⁻¹ (x_i - x̄),   X with its means taken off
        """
        _, s, vh = torch.linalg.svd(self.factor[1:, 1 : 1 + self.features], full_matrices=False)
        square = torch.where(s > self._rounding(), s, 0.0).square() + strength
        first = self.factor[0]
        along = (x.to(first) - first[1 : 1 + self.features] / first[0]) @ vh.T
        inside = torch.where(square > strength, along.square() / square.clamp_min(torch.finfo(s.dtype).tiny), 0.0)
        return (inside.sum(1) + 1 / self.rows).clamp(0, 1)

    def _rounding(self) -> Tensor:
        """What a singular value of x must exceed to be more than rounding, the means that were taken off included."""
        x = self.factor[:, 1 : 1 + self.features]
        return torch.linalg.matrix_norm(x) * (max(x.shape) * torch.finfo(x.dtype).eps)

    def _one(self, x: Tensor, y: Tensor, strength: float) -> Tensor:
        """For one strength above 0 a triangular factor is enough."""
        penalty = torch.eye(self.features, dtype=x.dtype) * strength**0.5
        q = torch.linalg.qr(
            torch.cat([torch.cat([x, y], 1), torch.nn.functional.pad(penalty, (0, self.outputs))]), "r"
        ).R
        n = self.features
        return torch.linalg.solve_triangular(q[:n, :n], q[:n, n:], upper=True)

    def _solution(self, weight: Tensor, strength: float, tried=(), scores=()) -> RidgeSolution:
        first = self.factor[0]
        means = first[1:] / first[0]
        intercept = means[self.features :] - means[: self.features] @ weight
        return RidgeSolution(weight, intercept, strength, tried, scores)


def _checked(strength: float) -> float:
    if not 0 <= strength < float("inf"):
        raise OptionError(f"ridge: got {strength}; expected a number of at least 0")
    return float(strength)


class RecursiveLeastSquares:
    """Ridge regression that learns row by row, with or without forgetting.

        k = P a / (γ + a' P a),   W ← W + k (y - W' a)',   P ← (P - k a' P) / γ,   a = (1, x),   P_0 = I / strength

    The division by γ is left out while it would make the trace of P more than that of P_0: inputs that stay the same for
    long excite few directions, and P would grow without bound in the others.

    With γ = 1 the weights after any row are those of a ridge regression over the rows so far, intercept penalised too.

    Source: Haykin, "Adaptive Filter Theory", 4th ed. 2002, table 9.1; Jaeger, "Adaptive nonlinear system identification
    with echo state networks", 2003 (NIPS 15).
    """

    def __init__(self, features: int, outputs: int, strength: float = 1e-6, forgetting: float = 1.0) -> None:
        if not 0 < forgetting <= 1:
            raise OptionError(f"forgetting: got {forgetting}; expected above 0, at most 1")
        if not 0 < strength < float("inf"):
            raise OptionError(f"strength: got {strength}; expected a number above 0")
        self.forgetting, self.strength = forgetting, strength
        self.inverse = torch.eye(1 + features, dtype=torch.float64) / strength
        self.weights = torch.zeros(1 + features, outputs, dtype=torch.float64)

    def go_on(self, solution: RidgeSolution, factor: Float[Tensor, "rows columns"]) -> None:
        """Begin with what a ridge regression has found, the triangular factor of its rows (1, x) at hand."""
        self.weights = torch.cat([solution.intercept[None], solution.weight]).to(self.weights)
        self.strength, seen = solution.strength, factor.T @ factor
        penalty = self.strength * torch.eye(len(seen)).to(seen)
        penalty[0, 0] = 0  # a ridge regression does not penalise the intercept
        self.inverse = torch.linalg.pinv(seen + penalty, hermitian=True)

    def predict(self, x: Float[Tensor, "features"]) -> Float[Tensor, "outputs"]:
        return self.weights[0] + x.to(self.weights) @ self.weights[1:]

    def learn(self, x: Float[Tensor, "features"], y: Float[Tensor, "outputs"]) -> Float[Tensor, "outputs"]:
        """Learn one row; returns what was predicted for it before."""
        if not (x.isfinite().all() and y.isfinite().all()):
            raise DataError("learn: got NaN or infinite values; expected finite numbers")
        row = torch.cat([x.new_ones(1), x]).to(self.weights)
        ahead = self.inverse @ row
        gain = ahead / (self.forgetting + row @ ahead)
        said = row @ self.weights
        self.weights = self.weights + torch.outer(gain, y.to(self.weights) - said)
        inverse = self.inverse - torch.outer(gain, ahead)
        # what no row excites must not grow for ever
        if float(inverse.trace()) * self.strength <= len(row) * self.forgetting:
            inverse = inverse / self.forgetting
        self.inverse = (inverse + inverse.T) / 2  # rounding must not make it lean
        return said
