"""The saved model: what comes back is what was saved, and damage is found."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import saiki
from saiki.errors import DataError, ModelError, OptionError, TrainingError
from saiki.model import _digest
from saiki.storage import replacing_folder, sha256
from saiki.tasks.forecast import toy

QUICK = {"horizon": 6, "steps": 5, "width": 8, "layers": 1, "batch": 16, "refit": False}


@pytest.fixture(scope="module")
def table():
    return toy(0, series=3, steps=80)


@pytest.fixture(scope="module")
def made(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m"
    return saiki.train("forecast", table, level=[80], out=path, **QUICK), path


@pytest.fixture
def copied(made, tmp_path):
    shutil.copytree(made[1], tmp_path / "m")
    return tmp_path / "m"


def test_a_loaded_model_answers_alike(made, table):
    model, path = made
    loaded = saiki.load(path)
    assert loaded.predict(table).equals(model.predict(table))
    assert loaded.validation.scores.keys() == model.validation.scores.keys()
    assert loaded.facts() == model.facts()


def test_the_folder_holds_data_and_no_code(made):
    _, path = made
    assert sorted(p.name for p in path.iterdir()) == [
        "README.md",
        "calibration.npy",
        "config.json",
        "curve.csv",
        "model.safetensors",
    ]
    config = json.loads((path / "config.json").read_text())
    assert config["format"] == 1
    assert "beats" in (path / "README.md").read_text() or "does not beat" in (path / "README.md").read_text()


def test_no_checkpoint_is_left_after_training(made):
    assert [p.name for p in made[1].parent.iterdir()] == ["m"]


def test_an_existing_folder_needs_force(made, copied):
    model, _ = made
    with pytest.raises(DataError, match="--force"):
        model.save(copied)
    model.save(copied, force=True)


def test_a_model_is_found_and_replaced_where_one_stands(made, copied, monkeypatch, table):
    monkeypatch.chdir(copied)
    assert saiki.load(".").predict(table).equals(made[0].predict(table))
    with pytest.raises(DataError, match="m exists already"):
        saiki.train("forecast", table, out=".", **QUICK)
    saiki.train("forecast", table, out=".", force=True, **QUICK)
    assert [p.name for p in copied.parent.iterdir()] == ["m"]
    with pytest.raises(DataError, match="/ is the root of the disk"):
        saiki.load("/")


def test_a_link_to_a_model_is_replaced_again_and_again(made, copied):
    link = copied.with_name("link")
    link.symlink_to(copied)
    link.with_name(".link.old").symlink_to(copied)  # as older versions left it
    for _ in range(2):
        made[0].save(link, force=True)
        assert sorted(p.name for p in copied.parent.iterdir()) == ["link", "m"]
    assert saiki.load(copied).name == saiki.load(link).name == "forecast"


def test_a_folder_that_is_no_model_is_never_replaced(made, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"meow")
    with pytest.raises(DataError, match="not a saved model"):
        made[0].save(tmp_path / "photos", force=True)


def damage_weights(path):
    data = bytearray((path / "model.safetensors").read_bytes())
    data[-3] ^= 1
    (path / "model.safetensors").write_bytes(bytes(data))


def truncate(name):
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:90])


def newer(path):
    text = (path / "config.json").read_text().replace('"format": 1', '"format": 2')
    (path / "config.json").write_text(text)


def tamper(path):
    text = (path / "config.json").read_text()
    (path / "config.json").write_text(text.replace('"season": 12', '"season": 11'))


def rewrite(**changed):
    """Another config.json with a checksum of its own: what a hand, not a disk, does."""

    def harm(path):
        config = json.loads((path / "config.json").read_text())
        config |= changed
        config["config_sha256"] = _digest(config)
        (path / "config.json").write_text(json.dumps(config))

    return harm


def stated(**network):
    """The same network of another size."""

    def harm(path):
        rewrite(network=json.loads((path / "config.json").read_text())["network"] | network)(path)

    return harm


def nonsense(path):
    (path / "model.safetensors").write_bytes(b"nonsense" * 9)
    rewrite(weights_sha256=sha256(path / "model.safetensors"))(path)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (stated(width=10**9), "holds .* numbers, too few for the network"),
        (stated(layers=10**9), "too few"),
        (stated(transition=10**9), "too few"),
        (rewrite(weights_sha256=None), "does not have the checksum"),
        (nonsense, "does not fit its model"),
        (lambda path: (path / "config.json").write_text("[" * 100_000), "cannot be read"),
        (rewrite(network={"width": 3}), "does not fit its model"),
        (rewrite(options={"unheard": 1}), "does not fit its model"),
        (rewrite(fitted={}), "does not fit its model"),
        (damage_weights, "checksum"),
        (truncate("model.safetensors"), "checksum"),
        (truncate("config.json"), "cannot be read"),
        (newer, "format 2"),
        (tamper, "checksum"),
        (lambda path: (path / "model.safetensors").unlink(), "incomplete"),
        (lambda path: (path / "config.json").unlink(), "config.json is missing"),
        (shutil.rmtree, "no model at"),
        (lambda path: (path / "config.json").write_text("[]"), "damaged"),
    ],
)
def test_damage_is_one_line(copied, harm, says):
    harm(copied)
    with pytest.raises(ModelError, match=says) as error:
        saiki.load(copied)
    assert "\n" not in str(error.value)


def test_a_crash_between_the_two_moves_is_recovered(copied):
    copied.rename(copied.with_name(".m.old"))
    assert saiki.load(copied).name == "forecast"


def test_a_failed_write_leaves_the_old_folder(copied):
    before = {p.name: p.read_bytes() for p in copied.iterdir()}

    def fill_the_disk():
        with replacing_folder(copied) as folder:
            (folder / "config.json").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left"):
        fill_the_disk()
    assert {p.name: p.read_bytes() for p in copied.iterdir()} == before
    assert [p.name for p in copied.parent.iterdir()] == ["m"]


def test_weights_are_restored_exactly(made):
    model, path = made
    for name, value in saiki.load(path).network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[name])


def test_resume_after_the_end_gives_the_finished_model(made, table):
    model, path = made
    found = saiki.train("forecast", table, level=[80], out=path, resume=True, **QUICK)
    assert found.predict(table).equals(model.predict(table))
    with pytest.raises(DataError, match=r"training\.seed differs"):
        saiki.train("forecast", table, level=[80], out=path, resume=True, seed=9, **QUICK)
    with pytest.raises(DataError, match="valid differs"):
        saiki.train("forecast", table, level=[80], out=path, resume=True, valid=table, **QUICK)


def test_an_interrupted_run_is_saved_and_goes_on(tmp_path, table):
    class Interrupt:
        def started(self, progress): ...
        def validated(self, progress, row): ...
        def ended(self, progress): ...
        def stepped(self, progress, loss):
            if progress.step == 7:
                raise KeyboardInterrupt

    given = QUICK | {"steps": 12, "validations": 4}
    whole = saiki.train("forecast", table, **given)
    stopped = saiki.train("forecast", table, out=tmp_path / "m", hooks=[Interrupt()], **given)
    assert stopped.interrupted
    assert saiki.load(tmp_path / "m").run["step"] == 7
    resumed = saiki.train("forecast", table, out=tmp_path / "m", resume=True, **given)
    assert not resumed.interrupted
    assert resumed.predict(table).equals(whole.predict(table))
    assert (tmp_path / "m" / "curve.csv").read_text().count("\n") == 5


def test_checkpoints_of_a_stopped_run_are_not_thrown_away_unasked(tmp_path, table):
    class Killed:
        def started(self, progress): ...
        def validated(self, progress, row): ...
        def ended(self, progress): ...
        def stepped(self, progress, loss):
            if progress.step == 4:
                raise RuntimeError

    given = {"out": tmp_path / "m", **QUICK, "checkpoint_every": 2}
    with pytest.raises(RuntimeError):
        saiki.train("forecast", table, hooks=[Killed()], **given)
    with pytest.raises(DataError, match="holds a run that was stopped after step 4; --resume goes on"):
        saiki.train("forecast", table, **given)
    assert saiki.train("forecast", table, resume=True, **given).run["step"] == 5
    assert not (tmp_path / "m.training").exists()


def test_a_run_that_diverged_leaves_nothing(tmp_path, table):
    with pytest.raises(TrainingError, match="training diverged"):
        saiki.train("forecast", table, out=tmp_path / "m", **QUICK | {"learning_rate": 1e30, "steps": 40})
    assert not list(tmp_path.iterdir())


def test_a_refit_sees_all_data_and_goes_on_after_an_interrupt(tmp_path, table):
    class Interrupt:
        runs = 0

        def started(self, progress):
            self.runs += 1

        def validated(self, progress, row): ...
        def ended(self, progress): ...
        def stepped(self, progress, loss):
            if self.runs == 2 and progress.step == 3:
                raise KeyboardInterrupt

    given = QUICK | {"refit": True, "validations": 2}
    searched = saiki.train("forecast", table, **(given | {"refit": False}))
    whole = saiki.train("forecast", table, **given)
    assert whole.run["refit"] == 5
    assert any("flatter" in note for note in whole.evaluate(table).notes)
    assert not any("flatter" in note for note in searched.evaluate(table).notes)
    assert whole.validation.scores["saiki"] == searched.validation.scores["saiki"]
    assert not whole.predict(table).equals(searched.predict(table))
    stopped = saiki.train("forecast", table, out=tmp_path / "m", hooks=[Interrupt()], **given)
    assert stopped.interrupted
    assert stopped.predict(table).equals(searched.predict(table))
    resumed = saiki.train("forecast", table, out=tmp_path / "m", resume=True, **given)
    assert resumed.predict(table).equals(whole.predict(table))
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_two_trainings_into_one_folder_are_kept_apart(tmp_path, table):
    class Second:
        def started(self, progress): ...
        def validated(self, progress, row): ...
        def ended(self, progress): ...
        def stepped(self, progress, loss):
            if progress.step == 2:
                with pytest.raises(DataError, match="another process"):
                    saiki.train("forecast", table, out=tmp_path / "m", **QUICK)
                assert (tmp_path / "m.training" / ".lock").exists(), "the refused one leaves the other's folder alone"

    saiki.train("forecast", table, out=tmp_path / "m", hooks=[Second()], **QUICK)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_curves_for_tensorboard_stay_beside_the_model(tmp_path, table, monkeypatch):
    written = {}

    class Writer:
        def __init__(self, folder, purge_step):
            self.rows = written.setdefault(Path(folder), [])
            assert purge_step == 1

        def add_scalar(self, name, value, step):
            self.rows.append((name, value, step))

        def close(self):
            self.rows.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    with pytest.raises(OptionError, match="give out=FOLDER"):
        saiki.train("forecast", table, tensorboard=True, **QUICK)
    model = saiki.train("forecast", table, tensorboard=True, ensemble=2, out=tmp_path / "m", **QUICK)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    runs = [tmp_path / "m.tensorboard" / f"training-network-{n}-of-2" for n in (1, 2)]
    assert list(written) == runs
    told = [("loss", row["loss"], row["step"]) for row in model.run["curve"]]
    assert [row for row in written[runs[0]] if row[0] == "loss"] == told
    assert all(rows[-1] == "closed" for rows in written.values())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"lookback": 8}, "give --attention causal too, or leave --lookback out"),
        ({"merge": "sum"}, "give --bidirectional too, or leave --merge out"),
        ({"locked": True}, "give --dropout too, or leave --locked out"),
    ],
)
def test_options_that_would_change_nothing_are_refused(table, options, told):
    with pytest.raises(OptionError, match=told):
        saiki.train("forecast", table, horizon=2, steps=1, **options)
    beside = {"attention": "causal", "bidirectional": True, "dropout": 0.2}
    saiki.train("forecast", table, horizon=2, steps=1, width=4, **beside, **options)
