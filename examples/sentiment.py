"""Sentiment of short texts, or any label of documents: what the network knows, where it errs, what counting words would do.

python examples/sentiment.py [--data TABLE --source TEXT --target LABEL] [--minutes M]
"""

import argparse

import numpy as np
import polars as pl

import saiki

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", help="a table with a column of text and one of labels; without it, a toy is made")
parser.add_argument("--source", default="text", help="column of the texts")
parser.add_argument("--target", default="label", help="column of the labels")
parser.add_argument("--minutes", type=float, default=5, help="budget, for a table of your own")
given = parser.parse_args()


def planted(rows: int = 200, seed: int = 0) -> pl.DataFrame:
    """Reviews that praise and blame: the label is which of the two comes last, so the same words have two meanings."""
    rng = np.random.default_rng(seed)
    nouns = ["film", "plot", "cast", "score", "end", "light", "sound"]
    texts, labels = [], []
    for _ in range(rows):
        up = bool(rng.integers(2))
        first, last = ("bad", "good") if up else ("good", "bad")
        before, between, after = ([str(n) for n in rng.choice(nouns, rng.integers(1, 4))] for _ in range(3))
        texts.append(" ".join([*before, first, *between, last, *after]))
        labels.append("up" if up else "down")
    return pl.DataFrame({"text": texts, "label": labels})


table = pl.read_csv(given.data, separator="\t" if given.data.endswith(".tsv") else ",") if given.data else planted()
quick = {
    "steps": 60,
    "width": 12,
    "embedding": 8,
    "ensemble": 1,
    "learning_rate": 0.02,
    "dropout": 0.0,
    "input_dropout": 0.0,
}
budget = {"minutes": given.minutes} if given.data else quick
order = np.random.default_rng(0).permutation(len(table))
test, train = table[order[: len(table) // 5]], table[order[len(table) // 5 :]]

model = saiki.train("classify", train, source=given.source, target=given.target, seed=1, **budget)
for word, says in model.understood:
    print(f"  {word}: {says}")
found = model.evaluate(test)
for name, scores in found.scores.items():
    print(f"  {name}: accuracy {scores['accuracy']:.3f}, log loss {scores['log_loss']:.3f}")
texts = dict(zip(range(1, len(test) + 1), test[given.source], strict=True))
for row in (
    model.task.answered(model.network, test).filter(pl.col("saiki") != pl.col("truth"))[:5].iter_rows(named=True)
):
    print(f"  {row['truth']}, answered {row['saiki']}: {texts[row['unique_id']][:100]}")
print(found.sentence())
