"""A language model of a small text: what it says of the text, how it goes on, and what it would complete.

python examples/next_words.py [TEXT.txt] [MINUTES]
"""

import sys
import tempfile
from pathlib import Path

import saiki
from saiki.tasks.generate import toy

budget = {"minutes": float(sys.argv[2])} if len(sys.argv) > 2 else {"steps": 60, "width": 32, "batch": 16, "bptt": 30}
if len(sys.argv) > 1:
    text = Path(sys.argv[1])
else:
    text = Path(tempfile.mkdtemp()) / "toy.txt"
    text.write_text(toy(length=8_000))  # every word is followed by itself backwards

model = saiki.train("generate", text, seed=1, **budget)
for word, says in model.understood:
    print(f"  {word}: {says}")
assert model.validation is not None
for name, scores in model.validation.scores.items():
    print(f"  {name}: {scores['bits_per_character']:.3f} bits per character")
print(model.validation.sentence())

begun = text.read_text()[:20]
print(repr(begun), "goes on", repr(model.generate(prompt=begun, length=60, temperature=0.7, seed=1)))
for completion, probability in model.generate(prompt=begun, length=5, candidates=3):
    print(f"  {probability:.3g} {completion!r}")
