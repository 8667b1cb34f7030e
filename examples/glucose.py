"""Glucose: half an hour ahead from a continuous monitor, judged as a clinic would, on patients never seen.

python examples/glucose.py [--data DIR] [--minutes M]        (real data need `pip install rdata`)
"""

import warnings
from pathlib import Path

import numpy as np
import polars as pl
from _given import given

import saiki


def real(folder: Path) -> pl.DataFrame:
    """19 people, from healthy to diabetic, for about a week each, every five minutes, in mg/dL (Hall et al. 2018)."""
    import rdata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # R classes of columns that are not read
        frame = rdata.read_rda(folder / "medical/cgm-hall2018/example_data_hall.rda")["example_data_hall"]
    seconds = (frame["time"].to_numpy() / 300).round().astype(np.int64) * 300
    ds = seconds.astype("datetime64[s]").astype("datetime64[us]")
    table = pl.DataFrame({"unique_id": frame["id"].astype(str).to_list(), "ds": ds, "y": frame["gl"].to_numpy()})
    return table.unique(["unique_id", "ds"], keep="first").sort("unique_id", "ds")


def planted(seed: int = 0) -> pl.DataFrame:
    """Meals raise glucose for some two hours: y_t = 100 + 60 Σ (s / 9) e^(1 - s / 9), s the steps since each meal."""
    rng = np.random.default_rng(seed)
    steps, patients = 288 * 2, 8
    s = np.arange(60)
    rise = 60 * (s / 9) * np.exp(1 - s / 9)
    y = np.stack([100 + np.convolve(rng.random(steps) < 1 / 60, rise)[:steps] for _ in range(patients)])
    y += 2 * rng.normal(size=y.shape)
    ds = np.datetime64("2024-01-01", "us") + np.arange(steps) * np.timedelta64(5, "m")
    names = np.repeat([f"patient-{k}" for k in range(patients)], steps)
    return pl.DataFrame({"unique_id": names, "ds": np.tile(ds, patients), "y": y.ravel()})


if __name__ == "__main__":
    asked = given(__doc__)
    table = real(asked.data) if asked.data else planted()
    people = table["unique_id"].unique().sort().to_list()
    test = people[:: len(people) // 4][:4]  # four people whom training never sees
    seen, judged = (table.filter(pl.col("unique_id").is_in(test) == new) for new in (False, True))
    options = {"horizon": 6, "season": 1, "history": 24, "patch": 1, "scale": "last", "holdout": "id", "seed": 1}
    model = saiki.train("forecast", seen, **options, **asked.budget)
    usual = ["last_value", "linear_lags", "theta"]
    found = model.evaluate(judged, windows=200, step=1, baselines=usual, grid="clarke", event=["below:70", "above:180"])
    for name, scores in found.scores.items():
        print(f"  {name:15} MAE {scores['mae']:.1f}  RMSE {scores['rmse']:.1f} mg/dL")
    for table in found.tables:
        if table.title.startswith(("Error grid", "Event")):
            print(f"{table.title}. {table.note}")
            for row in [table.header, *table.rows]:
                print("".join(f"  {cell:>18}" for cell in row))
    print(found.sentence())
