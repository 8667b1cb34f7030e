"""Distributions beside the point: the likelihoods, their quantiles, scores, and counts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from scipy import stats

import saiki
from saiki import catalog
from saiki.errors import DataError, OptionError
from saiki.metrics import crps
from saiki.network import laws
from saiki.network.scaling import Scale
from saiki.objectives.base import Judged
from saiki.tasks.forecast import toy

QUICK = {"horizon": 6, "steps": 12, "width": 8, "layers": 1, "batch": 16, "season": 12, "refit": False}
SCALE = Scale(torch.tensor([[5.0], [40.0]]).double(), torch.tensor([[2.0], [6.0]]).double())


def judged(law: str, seed: int = 0):
    """Two windows of three steps, one truth missing; parameters as a network gives them."""
    make = torch.Generator().manual_seed(seed)
    inner = torch.randn(2, 3, generator=make)
    inner = laws.counted(inner, SCALE) if law == "negative_binomial" else inner
    forecast = SCALE.outward(inner.double())
    truth = (forecast + 3 * torch.randn(2, 3, generator=make)).round().clamp_min(0)
    weight = torch.tensor([[1.0, 1, 0], [1, 1, 1]])
    parameters = laws.shape(law, torch.randn(2, 3, laws.PARAMETERS[law], generator=make))
    inner_truth = SCALE.inward(truth).float() * weight
    unit = torch.ones(2, 1)
    return Judged(forecast, truth * weight, inner, inner_truth, weight, unit, unit, False, (1.0, 1.0), parameters)


def known(law: str, found: Judged) -> np.ndarray:
    """Negative log-likelihood by scipy."""
    p = found.parameters().double().numpy()
    inner, truth = found.inner.double().numpy(), found.inner_truth.double().numpy()
    if law == "gaussian":
        return -stats.norm.logpdf(truth, inner, p[..., 0])
    if law == "student_t":
        return -stats.t.logpdf(truth, p[..., 1], inner, p[..., 0])
    r, mean = 1 / p[..., 0], found.forecast.numpy()
    return -stats.nbinom.logpmf(found.truth.numpy(), r, r / (r + mean))


@pytest.mark.parametrize("law", laws.PARAMETERS)
def test_likelihoods_are_those_of_scipy_and_pass_over_missing_truth(law):
    found = judged(law)
    loss = catalog.load("objectives", law).loss
    weight = found.weight.numpy()
    assert float(loss(found)) == pytest.approx((known(law, found) * weight).sum() / weight.sum(), rel=1e-5)
    moved = found._replace(
        truth=found.truth + (1 - found.weight) * 7, inner_truth=found.inner_truth + (1 - found.weight)
    )
    assert float(loss(moved)) == pytest.approx(float(loss(found)))


@pytest.mark.parametrize("law", laws.PARAMETERS)
@pytest.mark.parametrize("size", [-60.0, 60.0])
def test_extreme_numbers_have_finite_losses_and_gradients(law, size):
    found = judged(law)
    raw = torch.full((2, 3, laws.PARAMETERS[law]), size, requires_grad=True)
    inner = (found.inner * 0 - abs(size)).requires_grad_()
    point = laws.counted(inner, SCALE) if law == "negative_binomial" else inner
    here = found._replace(inner=point, forecast=SCALE.outward(point.double()), shape=laws.shape(law, raw))
    loss = catalog.load("objectives", law).loss(here)
    loss.backward()
    assert loss.isfinite()
    for numbers in (raw, inner):
        assert numbers.grad is not None
        assert numbers.grad.isfinite().all()


@pytest.mark.parametrize("law", laws.PARAMETERS)
def test_quantiles_and_deviations_are_those_of_draws(law):
    found, levels = judged(law), (0.05, 0.5, 0.9)
    got = laws.quantiles(law, found.inner, found.parameters(), SCALE, levels)
    spread = laws.deviation(law, found.inner, found.parameters(), SCALE)
    p, inner = found.parameters().double().numpy(), found.inner.double().numpy()
    if law == "negative_binomial":
        r, mean = 1 / p[..., 0], found.forecast.numpy()
        want = [SCALE.inward(torch.from_numpy(stats.nbinom.ppf(v, r, r / (r + mean)))).numpy() for v in levels]
        deviation = stats.nbinom.std(r, r / (r + mean)) / SCALE.spread.numpy()
    else:
        family = stats.norm(inner, p[..., 0]) if law == "gaussian" else stats.t(p[..., 1], inner, p[..., 0])
        want, deviation = [family.ppf(v) for v in levels], family.std()
    np.testing.assert_allclose(got, np.stack(want, -1), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(spread, deviation, rtol=1e-6)


def test_crps_of_quantiles_nears_the_closed_form():
    truth, mean, sigma = np.array([[0.3, -2.0, np.nan]]), np.array([[0.0, 0.5, 0.0]]), np.array([[1.0, 2.0, 1.0]])
    closed = crps.gaussian(truth, mean, sigma)
    rng = np.random.default_rng(0)
    x, other = (mean + sigma * rng.normal(size=(200_000, 1, 3)) for _ in range(2))
    drawn = np.abs(x - truth).mean(0) - 0.5 * np.abs(x - other).mean(0)
    assert closed == pytest.approx(np.nanmean(drawn), rel=0.01)
    fine = stats.norm.ppf(np.arange(1, 1000) / 1000) * sigma[..., None] + mean[..., None]
    assert crps.from_quantiles(truth, list(np.moveaxis(fine, -1, 0))) == pytest.approx(closed, rel=0.005)


@pytest.mark.parametrize("law", ["gaussian", "student_t"])
def test_point_intervals_paths_and_scores(law, tmp_path):
    table = toy(0, series=3, steps=120)
    model = saiki.train("forecast", table, distribution=law, out=tmp_path / "m", **QUICK)
    assert model.task.options.loss == law
    loaded = saiki.load(tmp_path / "m")
    found = loaded.predict(table, level=[55, 93], samples=3)
    assert found.equals(model.predict(table, level=[55, 93], samples=3))
    rising = found.select("saiki-lo-93", "saiki-lo-55", "saiki", "saiki-hi-55", "saiki-hi-93").to_numpy()
    assert (np.diff(rising, axis=1) >= 0).all()
    assert found["saiki-sample-3"].is_finite().all()
    assert np.isfinite(model.evaluate(table, baselines=["seasonal_naive"]).scores["saiki"]["crps"])


def test_without_held_out_windows_the_distribution_speaks_for_itself():
    table = toy(0, series=3, steps=120)
    model = saiki.train("forecast", table, distribution="gaussian", holdout="none", log=False, **QUICK)
    found = model.predict(table, level=[50, 90], samples=2)
    reach = (found["saiki-hi-90"] - found["saiki"]) / (found["saiki-hi-50"] - found["saiki"])
    np.testing.assert_allclose(reach, stats.norm.ppf(0.95) / stats.norm.ppf(0.75), rtol=1e-4)
    assert not found["saiki-sample-1"].equals(found["saiki-sample-2"])
    assert np.isfinite(model.evaluate(table, baselines=[]).scores["saiki"]["crps"])


@pytest.mark.slow
def test_with_a_loss_of_its_own_the_point_is_that_without_a_distribution():
    table = toy(0, series=3, steps=120)
    both = [
        saiki.train("forecast", table, loss="mae", clip=1e9, validations=1, distribution=d, **QUICK)
        for d in ("gaussian", "quantiles")
    ]
    first, second = (m.predict(table)["saiki"] for m in both)
    np.testing.assert_allclose(first, second, rtol=1e-4)


def counts(seed: int = 0, series: int = 6, steps: int = 400) -> pl.DataFrame:
    """Rare sales with a season: negative binomial of mean 2 (1 + sin) + ½ and dispersion ½."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)
    mean = np.tile(2 * (1 + np.sin(2 * np.pi * t / 12)) + 0.5, (series, 1))
    y = rng.negative_binomial(2.0, 2.0 / (2.0 + mean))
    return pl.DataFrame({"unique_id": np.repeat(np.arange(series), steps), "ds": np.tile(t, series), "y": y.ravel()})


def test_paths_of_counts_are_whole_where_intervals_are_calibrated():
    model = saiki.train("forecast", counts(steps=150), distribution="negative_binomial", **QUICK | {"steps": 5})
    assert model.task.calibration.errors is not None
    paths = model.predict(counts(steps=150), samples=3).select(pl.selectors.starts_with("saiki-sample")).to_numpy()
    assert (paths == paths.round()).all()
    assert (paths >= 0).all()


@pytest.mark.slow
def test_counts_find_their_planted_mean_and_dispersion():
    given = QUICK | {"steps": 250, "width": 16, "batch": 64, "horizon": 12, "learning_rate": 4e-3}
    model = saiki.train("forecast", counts(), distribution="negative_binomial", holdout="none", **given)
    found = model.predict(counts(), level=80, samples=200)
    mean = np.tile(2 * (1 + np.sin(2 * np.pi * np.arange(400, 412) / 12)) + 0.5, 6)
    naive = counts().filter(pl.col("ds") >= 388)["y"].to_numpy()  # the season before
    assert ((found["saiki"].to_numpy() - mean) ** 2).mean() < ((naive - mean) ** 2).mean() / 5
    assert abs(found["saiki"].mean() / mean.mean() - 1) < 0.2
    paths = found.select(pl.selectors.starts_with("saiki-sample")).to_numpy()
    assert (paths == paths.round()).all()
    assert (paths >= 0).all()
    wanted = (mean + 0.5 * mean**2).mean()
    assert 0.6 < paths.var(axis=1).mean() / wanted < 1.5


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"distribution": "negative_binomial"}, DataError, "negative_binomial is for counts"),
        ({"distribution": "negative_binomial", "log": True}, OptionError, "counts are not modelled by their logarithm"),
        ({"loss": "student_t"}, OptionError, "expected --distribution student_t"),
        ({"distribution": "gauss"}, OptionError, "distribution"),
        ({"distribution": "gaussian", "cell": "echo_state"}, OptionError, "leave --distribution out"),
    ],
)
def test_bad_combinations_are_one_line(given, error, says):
    with pytest.raises(error, match=says):
        saiki.train("forecast", toy(0, series=2, steps=80), **(QUICK | given))
