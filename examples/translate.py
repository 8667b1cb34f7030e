"""A small translator: pairs of texts in, translations out, beside the most similar sentence that training has seen.

python examples/translate.py [--data train --source en --target de --test test] [--minutes M]

DATA and TEST are parallel files (`train` reads train.en and train.de) or tables with two columns of text.
"""

import argparse

import saiki
from saiki.tasks.translate import toy

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", help="pairs of texts; without them, a toy is made: words in reverse, in capitals")
parser.add_argument("--test", help="pairs to judge by [what is held out of DATA]")
parser.add_argument("--source", help="ending of the files, or column, of what goes in")
parser.add_argument("--target", help="ending or column of what is asked for")
parser.add_argument("--minutes", type=float, default=30, help="budget, for data of your own")
given = parser.parse_args()

quick = {"steps": 150, "width": 32, "units": "words", "learning_rate": 0.01, "dropout": 0.0, "average": 0.0, "beam": 2}
pairs, names = toy(0, 400), {}
if given.data:
    pairs, names, quick = given.data, {"source": given.source, "target": given.target}, {"minutes": given.minutes}
model = saiki.train("translate", pairs, **names, seed=1, **quick)
for word, says in model.understood:
    print(f"  {word}: {says}")
found = model.evaluate(given.test) if given.test else model.validation
assert found is not None
for name, scores in found.scores.items():
    print(f"  {name}: BLEU {scores['bleu']:.1f}, chrF {scores['chrf']:.1f}")
for source, answer, truth in found.tables[0].rows[:3]:
    print(f"  {source}  ->  {answer}  (truth: {truth})")
print(found.sentence())
