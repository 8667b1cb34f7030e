"""The cell echo_state in forecast, classify and regress: the readout is found in closed form, by one pass over the data."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

import saiki
from saiki.errors import DataError, OptionError
from saiki.network.closed_form import Told, offsets_of
from saiki.tasks import classify, forecast, regress, tag

SMALL = {"cell": "echo_state", "width": 20, "seed": 1}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return forecast.toy(0, series=4, steps=260)


@pytest.fixture(scope="module")
def model(table):
    return saiki.train("forecast", table, horizon=12, level=[80], **SMALL)


def test_the_planted_forecast_is_found(model, table):
    assert model.run["step"] == model.run["steps"] == 1
    assert model.network_options.connection == "dense"
    assert {p.dtype for p in model.network.parameters()} == {torch.float64}
    scores = model.validation.scores
    assert scores["saiki"]["mase"] < 0.5 * scores["seasonal_naive"]["mase"]
    assert scores["saiki"]["mase"] < scores["theta"]["mase"]


def test_the_readout_is_a_ridge_regression_on_every_window(table):
    """Of the truth, less the even blend of past seasons, in units of each window."""
    model = saiki.train("forecast", table, horizon=5, ridge=0.3, refit=False, layers=1, **SMALL)
    task, network = model.task, model.network
    problem = task.problem(1)
    series, ends = problem._every_window()
    assert len(series) == sum(last - first + 1 for first, last in zip(problem.first, problem.last, strict=True))
    batch = problem.encode(problem.windows, series, ends)
    with torch.no_grad():
        x, base, scale = network.columns(batch)
        said = network(batch).point
    x, y = x.numpy(), (scale.inward(batch["target"]) - base).numpy()
    a, b = x - x.mean(0), y - y.mean(0)
    weight = np.linalg.solve(a.T @ a + 0.3 * np.eye(a.shape[1]), a.T @ b)
    np.testing.assert_allclose(network.point.weight.detach().numpy().T, weight, atol=1e-8)
    np.testing.assert_allclose(said.numpy(), base.numpy() + y.mean(0) + a @ weight, atol=1e-8)
    assert np.abs(network.blend.chosen.weight.detach().numpy()).max() == 0


def test_reservoirs_are_as_they_were_drawn(model):
    fresh = model.task.network(model.network_options, model.width, 1).stack.state_dict()
    for name, weight in model.network.stack.state_dict().items():
        assert torch.equal(weight, fresh[name]), name
    assert len(model.network.stack.layers) == 2
    assert model.network.stack.layers[1][0].features == model.network.encode.mean.numel() + 20  # input and first layer


def test_saved_and_resumed(table, tmp_path):
    """An interrupted run leaves what `resume` needs; the model that it ends with is that of a run that was left alone."""

    class Stop:
        def started(self, progress): ...
        def stepped(self, progress, loss): ...
        def validated(self, progress, row):
            raise KeyboardInterrupt

        def ended(self, progress): ...

    given = {"horizon": 12, "level": [80], **SMALL}
    model = saiki.train("forecast", table, **given)
    given["out"] = tmp_path / "m"
    with pytest.raises(KeyboardInterrupt):
        saiki.train("forecast", table, hooks=[Stop()], **given)
    saiki.train("forecast", table, resume=True, **given)
    assert not (tmp_path / "m.training").exists()
    again = saiki.load(tmp_path / "m")
    assert again.predict(table).equals(model.predict(table))
    assert saiki.train("forecast", table, resume=True, **given).predict(table).equals(model.predict(table))


def test_a_stream_is_predict(model, table):
    one = table.filter(pl.col("unique_id") == "series-1").head(70)
    stream = model.stream()
    found = [stream.push(row)[0] for row in one.iter_rows(named=True)]
    for k in (10, 40, 70):
        expected = model.predict(one.head(k))
        for name in ("saiki", "saiki-lo-80", "saiki-hi-80"):
            np.testing.assert_allclose(found[k - 1][name], expected[name].to_numpy(), rtol=1e-8)


def test_both_directions_and_back_tests(table):
    model = saiki.train("forecast", table, horizon=12, bidirectional=True, **SMALL)
    found = model.evaluate(table, windows=2, step=12, refit="every", baselines=["seasonal_naive"])
    assert found.scores["saiki"]["mase"] < 0.5 * found.scores["seasonal_naive"]["mase"]


def test_the_known_future_is_told():
    """A promotion adds 5, at steps that nobody can foresee."""
    rng = np.random.default_rng(0)
    promo = (rng.random(400) < 0.3).astype(float)
    y = 20 + np.sin(np.arange(400) * 2 * np.pi / 7) + 5 * promo + 0.05 * rng.standard_normal(400)
    frame = pl.DataFrame({"unique_id": "a", "ds": np.arange(400), "y": y, "promo": promo})
    model = saiki.train("forecast", frame[:-7], horizon=7, future=["promo"], **SMALL)
    assert isinstance(model.network.ahead, Told)
    ahead = frame.with_columns(y=pl.when(pl.col("ds") < 393).then("y"))
    found = model.predict(ahead)["saiki"].to_numpy()
    assert np.abs(found - y[-7:]).max() < 1


def test_windows_without_their_truth_are_left_out(table):
    holes = table.with_columns(y=pl.when(pl.col("ds") % 40 > 2).then("y"))
    model = saiki.train("forecast", holes, horizon=12, **SMALL)
    assert np.isfinite(model.predict(holes)["saiki"].to_numpy()).all()
    never = table.with_columns(y=pl.when(pl.col("ds") % 9 > 0).then("y"))
    with pytest.raises(DataError, match="windows have all 12 steps"):
        saiki.train("forecast", never, horizon=12, **SMALL)


def test_offsets_are_the_quantiles_of_the_errors():
    errors = torch.from_numpy(np.random.default_rng(0).standard_normal((500, 3)) * [1, 2, 30])
    levels = (0.025, 0.1, 0.9, 0.975)
    away = torch.nn.functional.softplus(offsets_of(errors, levels))  # [horizon, levels]
    found = torch.cat([-away[:, :2].flip(-1).cumsum(-1).flip(-1), away[:, 2:].cumsum(-1)], -1)
    torch.testing.assert_close(found, errors.quantile(torch.tensor(levels, dtype=torch.float64), 0).T)


@pytest.mark.parametrize("more", [{}, {"class_weight": "balanced", "washout": 3}])
def test_the_planted_class_is_found(more):
    given = SMALL | {"width": 60, "ensemble": 2}
    model = saiki.train("classify", classify.toy(1, series=160), **given, **more)
    found = model.evaluate(classify.toy(2, series=100)).scores
    assert found["saiki"]["accuracy"] > max(0.85, found["logistic_summary"]["accuracy"])
    assert found["saiki"]["log_loss"] < found["logistic_summary"]["log_loss"]
    assert found["saiki"]["calibration_error"] < 0.15


def test_the_planted_number_is_found(tmp_path):
    model = saiki.train("regress", regress.toy(1, series=200), out=tmp_path / "m", ensemble=2, **SMALL | {"width": 60})
    test = regress.toy(2, series=80)
    found = model.evaluate(test).scores
    assert found["saiki"]["rmse"] < 0.8 * found["mean_answer"]["rmse"]
    assert saiki.load(tmp_path / "m").predict(test).equals(model.predict(test))


def test_the_first_tokens_are_left_out_of_pooling():
    """What a series says before the washout has no part in the mean; one that is shorter is taken whole."""
    given = SMALL | {"ensemble": 1, "pooling": "mean", "bidirectional": False, "layers": 1, "washout": 5, "patch": 1}
    model = saiki.train("classify", classify.toy(1, series=40), **given)
    member = model.network.members[0]
    x, lengths = torch.randn(2, 9, member.plan.features, dtype=torch.float64), torch.tensor([9, 3])
    h, _ = member.stack(x, lengths)
    found = member.pooled({"values": x, "lengths": lengths, "static": torch.zeros(2, member.plan.static)})
    torch.testing.assert_close(found[0, : h.shape[2]], h[0, 5:].mean(0))
    torch.testing.assert_close(found[1, : h.shape[2]], h[1, :3].mean(0))


@pytest.mark.parametrize(
    ("task", "given", "says"),
    [
        ("forecast", {"dropout": 0.1}, "dropout 0.1 has no meaning for echo_state"),
        ("forecast", {"attention": "causal"}, "attention causal has no meaning"),
        ("forecast", {"connection": "highway"}, "expected plain, residual or dense"),
        ("forecast", {"washout": 3}, "whole window"),
        ("forecast", {"cell": "gru", "ridge": 0.1}, "--ridge has no meaning for gru"),
        ("forecast", {"transition": 1, "washout": 2}, "--washout has no meaning"),
        ("classify", {"pooling": "attention"}, "pooling attention"),
        ("classify", {"augment": "noise"}, "augment"),
        ("regress", {"robust": True}, "robust has no closed form"),
    ],
)
def test_an_option_without_meaning_is_one_line(table, task, given, says):
    data = {"forecast": table, "classify": classify.toy(1, series=20), "regress": regress.toy(1, series=20)}[task]
    more = {"horizon": 3} if task == "forecast" else {}
    with pytest.raises(OptionError, match=says):
        saiki.train(task, data, **(SMALL | more | given))


def documents(multi_label: bool) -> dict:
    """A word that tells the label, and what says so."""
    answers = [["wet", "grey"], ["grey"]] if multi_label else ["wet", "dry"]
    table = pl.DataFrame({"text": ["rain on trees", "sun on trees"] * 20, "label": answers * 20}, strict=False)
    return {"data": table, "source": "text", "target": "label", "ensemble": 1, "multi_label": multi_label}


@pytest.mark.parametrize("multi_label", [False, True])
def test_documents_learn_their_vectors_by_gradients(multi_label):
    """Through the reservoir, which stays as it was drawn."""
    given = documents(multi_label)
    model = saiki.train("classify", steps=3, **given, **SMALL)
    member = model.network.members[0]
    fresh = model.task.network(model.network_options, model.width, 1).members[0]
    assert model.run["step"] == 3
    assert not torch.equal(member.embedding.table.weight, fresh.embedding.table.weight)
    assert {p.dtype for p in member.parameters()} == {torch.float32}
    for name, weight in member.labeller.stack.state_dict().items():
        assert torch.equal(weight, fresh.labeller.stack.state_dict()[name]), name


@pytest.mark.parametrize("option", ["ridge", "washout"])
@pytest.mark.parametrize(
    "given", [documents(False), documents(True), {"data": tag.toy(0, 30)}], ids=["one label", "any number", "tag"]
)
def test_without_a_closed_form_its_options_have_no_meaning(given, option):
    given = dict(given)
    data = given.pop("data")
    with pytest.raises(OptionError, match=f"--{option} has no meaning for echo_state here"):
        saiki.train("classify" if given else "tag", data, **given, **SMALL, **{option: 1})
