"""The task translate at work: fitted to pairs of texts, it builds encoder and decoder, judges them and answers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from saiki import baselines, catalog
from saiki.data.frames import as_given, like_rows, native
from saiki.data.pairs import Pairs, pairs
from saiki.decoding.beam import beam
from saiki.decoding.greedy import greedy
from saiki.errors import DataError, OptionError
from saiki.metrics import bleu, chrf, exact
from saiki.modalities import text as modality
from saiki.modalities._words import is_split, joined, without_spaces
from saiki.modalities._words import words as units_of
from saiki.modalities.text import END, UNKNOWN, TextCodec
from saiki.network.attention import KINDS
from saiki.network.decoder import Translator
from saiki.network.options import Network
from saiki.tasks._evaluation import Evaluation, Table
from saiki.tasks._pair_problem import PairProblem, padded
from saiki.tasks._task import Task
from saiki.tasks.translate import Translate

#: pairs held out at most
MOST_HELD = 1000
#: texts that are answered together, times the width of the beam
TOGETHER = 400
#: fewer words per text than this: it is a word, a number, a date, and read letter by letter
FEW_WORDS = 2.0
#: byte-pair units of each side where no vocabulary is asked for
BYTEPAIRS = 6000
#: units of an answer beyond what its source makes likely
SPARE = 10
#: training pairs from which a wide network is worth it
MANY = 5000


class TranslateTask(Task):
    """Everything but the weights that a translation needs; plain data, saved with the model."""

    takes = ("source", "target")
    answer = "translations"
    when_answering = ("beam", "length_penalty", "block", "longest")

    options: Translate

    def __init__(
        self, options: Translate, source: TextCodec, target: TextCodec, stored: dict[str, Any], said: list
    ) -> None:
        self.options, self.source, self.target, self.stored, self.said = options, source, target, stored, said
        self.training: Pairs | None = None
        self.held: Pairs | None = None
        self.seed = 0

    # The pairs.

    @classmethod
    def fit(cls, options: Translate, data: Any, columns: dict[str, Any]) -> TranslateTask:
        """Understand the pairs: what is held out, the units of both sides."""
        names = {side: _one(side, columns.get(side)) for side in ("source", "target")}
        everything = pairs(data, names["source"], names["target"], options.encoding)
        if len(everything) < 2:
            raise DataError(f"the data holds {len(everything)} pairs of texts; expected at least 2")
        training, held = everything.split(options.holdout, MOST_HELD)
        if not len(training):
            raise DataError("every pair has the same source; expected different texts to learn from")
        assert training.target is not None
        units = options.units or ("bytepair" if options.tokenizer else _units(training))
        options = options.model_copy(update={"units": units})
        codecs = [_fitted(options, side) for side in (training.source, training.target)]
        ratio = _ratio(
            *(
                [len(_encoded(c, t)) for t in side]
                for c, side in zip(codecs, (training.source, training.target), strict=True)
            )
        )
        path = str(Path(data).resolve()) if isinstance(data, str | Path) else None
        print_of = _fingerprint(everything)
        stored = {"path": path, "names": names, "ratio": ratio, "fingerprint": print_of, "cut": _cut(training.target)}
        task = cls(options, codecs[0], codecs[1], stored, _said(everything, training, held, codecs))
        task.training, task.held = training, held
        return task

    @classmethod
    def validated_apart(cls, options: Translate) -> Translate:
        return options.model_copy(update={"holdout": 0.0})

    def describe(self) -> list[tuple[str, str]]:
        return self.said

    def fingerprint(self, data: Any = None) -> str:
        return self.stored["fingerprint"] if data is None else _fingerprint(self.read(data))

    def read(self, data: Any, both: bool = True) -> Pairs:
        """Pairs, or the source alone, read as the training data were; DataError where both are asked for and there is no pair."""
        names = self.stored["names"]
        found = pairs(data, names["source"], names["target"], self.options.encoding, both)
        if both and not len(found):
            raise DataError(
                f"the data holds no pair with text on both sides, and {found.left_out:,} with an empty side; expected at least 1"
            )
        return found

    # The network and its training.

    @property
    def default_width(self) -> int:
        assert self.training is not None
        return 256 if len(self.training) >= MANY else 128

    def network_defaults(self) -> dict[str, Any]:
        assert self.training is not None
        dropout = 0.3 if len(self.training) < 100_000 else 0.2
        return {"bidirectional": True, "layers": 2, "attention": "additive", "dropout": dropout}

    def training_defaults(self) -> dict[str, Any]:
        assert self.training is not None
        batch = 64 if len(self.training) >= MANY else 32
        return {"batch": batch, "learning_rate": 2e-3, "average": 0.998, "most_epochs": 60, "patience": 6}

    def network(self, options: Network, width: int, seed: int) -> Translator:
        own = self.options
        if options.attention not in (*KINDS, "none"):
            raise OptionError(
                f"attention: got {options.attention!r}; translate takes {', '.join(KINDS)} or none, between answer and source"
            )
        if own.coverage and options.attention == "none":
            raise OptionError("coverage needs attention; leave out one of --coverage and --attention none")
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = Translator(
                self.source.size,
                self.target.size,
                options,
                width,
                own.embedding or width,
                kind=None if options.attention == "none" else options.attention,
                input_feeding=own.input_feeding,
                coverage=own.coverage,
            )
        if self.training is not None:  # what is frequent is probable before anything is learned
            made.decoder.bias.detach().copy_(torch.from_numpy(self._logarithms()))
        return made

    def _logarithms(self) -> np.ndarray:
        """How probable every unit of an answer is, and its end, whatever the source: logarithms."""
        assert self.training is not None
        assert self.training.target is not None
        units = [_encoded(self.target, text) for text in self.training.target]
        counts = np.bincount(np.concatenate(units), minlength=self.target.size) + 1.0
        counts[END] += len(units)
        return np.log(counts / counts.sum())

    def problem(self, batch: int, valid: Any = None, whole: bool = False) -> PairProblem:
        assert self.training is not None
        assert self.held is not None
        own, held = self.options, self.held if valid is None or whole else self.read(valid)
        (sources, targets), judged = self._encode(self.training), self._encode(held)
        if whole:
            sources, targets, judged = sources + judged[0], targets + judged[1], None
        batch = min(batch, len(sources))
        return PairProblem((sources, targets), judged, batch, self.seed, own.smoothing, own.scheduled_sampling)

    def _encode(self, texts: Pairs) -> tuple[list[np.ndarray], list[np.ndarray]]:
        assert texts.target is not None
        return [_encoded(self.source, t) for t in texts.source], [_encoded(self.target, t) for t in texts.target]

    # Answers.

    @torch.no_grad()
    def translate(self, network: Translator, texts: Sequence[str]) -> list[str]:
        """The best answer to every text."""
        network.eval()
        rows = [_encoded(self.source, text) for text in texts]
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        together, found = max(1, TOGETHER // self.options.beam), [""] * len(rows)
        for start in range(0, len(order), together):
            part = order[start : start + together]
            for row, said in zip(part, self._together(network, [rows[row] for row in part]), strict=True):
                found[row] = self._text(network, texts[row], rows[row], said) if texts[row].strip() else ""
        return found

    def _together(self, network: Translator, rows: list[np.ndarray]) -> list[list[int]]:
        own = self.options
        memory = network.encode(*padded(rows))
        state = (network.decoder.initial_state(memory), memory)

        def step(tokens, state):
            scores, after = network.decoder.step(tokens, *state)
            return scores, (after, state[1])

        first = torch.full((len(rows),), END)
        length = torch.tensor([own.longest or SPARE + math.ceil(self.stored["ratio"] * len(row)) for row in rows])
        if own.beam == 1 and not own.block:
            return greedy(step, state, first, end=END, length=length)
        options = {"end": END, "length": length, "width": own.beam, "penalty": own.length_penalty, "block": own.block}
        return [candidates[0].tokens for candidates in beam(step, state, first, **options)]

    def _text(self, network: Translator, text: str, row: np.ndarray, said: list[int]) -> str:
        """The text of an answer; an unknown unit becomes the unit of the source that was looked at most."""
        source, target = self.source, self.target
        if UNKNOWN not in said or target.tokenizer or network.decoder.attention is None or not len(row):
            return target.decode(said).strip()
        words = source.units == "words"
        clean = source.clean(f" {text.strip()}" if words else text.strip())
        pieces = units_of(clean, source.split, source.spaces) if words else clean
        copied = [pieces[place] for place in self._weights(network, row, said).argmax(1).tolist()]
        if words and target.split:
            copied = [piece.strip(" ") for piece in copied]
        elif words and source.split:
            copied = [f" {piece}" for piece in copied]
        shown = [piece if unit == UNKNOWN else target.decode([unit]) for piece, unit in zip(copied, said, strict=True)]
        return joined(shown, words and target.split, spaces=True).strip()

    def _weights(self, network: Translator, row: np.ndarray, said: list[int]) -> torch.Tensor:
        """Attention of every unit of an answer on the units of its source: `[answer, source]`."""
        given = torch.tensor([[END, *said[:-1]]])
        memory = network.encode(*padded([row]))
        return network.decoder.weights(given, torch.tensor([given.shape[1]]), memory)[0]

    @torch.no_grad()
    def attention(self, network: Any, data: Any) -> list[tuple[list[str], list[str], np.ndarray]]:
        """Of every text its units, those of its answer, and the weights `[answer, source]` between them."""
        network.eval()
        if network.decoder.attention is None:
            self.cannot("show attention", "it was trained with --attention none")
        found = []
        for text in self.read(data, both=False).source:
            row = _encoded(self.source, text)
            said = self._together(network, [row])[0]
            names = self.source.pieces(_spaced(self.source, text)), [self.target.name(n) for n in said]
            found.append((*names, self._weights(network, row, said).numpy() if said else np.zeros((0, len(row)))))
        return found

    def predict(self, network: Any, data: Any) -> Any:
        """The answers beside their texts, columns `source` and `saiki` of a frame as `data` is one, of polars for others."""
        if isinstance(data, str) and not Path(data).exists() and "\n" not in data and " " in data.strip():
            raise DataError(f"no file called {data!r}; for one text in Python give a list: predict([text])")
        texts = self.read(data, both=False).source
        found = native(pl.DataFrame({"source": texts, "saiki": self.translate(network, texts)}), as_given(data))
        return like_rows(found, data)

    def evaluate(self, network: Any, data: Any, history: Any = None) -> Evaluation:
        if history is not None:
            raise OptionError("history has no meaning for translate; give pairs of texts")
        found = self.read(data)
        return self._judge(network, found, f"{len(found):,} pairs")

    def answered(self, network: Any, data: Any) -> pl.DataFrame:
        """Every text with its true answer and ours, in their order."""
        texts = self.read(data)
        return pl.DataFrame(
            {"source": texts.source, "truth": texts.target, "saiki": self.translate(network, texts.source)}
        )

    def validation(self, network: Any, valid: Any = None) -> Evaluation | None:
        held = self.held if valid is None else self.read(valid)
        if held is None or not len(held):
            return None
        return self._judge(network, held, f"validation: {len(held):,} pairs that training has not seen")

    def _judge(self, network: Translator, texts: Pairs, about: str) -> Evaluation:
        assert texts.target is not None
        truth = [self.target.clean(one) for one in texts.target]
        answers: dict[str, list[str]] = {"saiki": self.translate(network, texts.source)}
        known, notes = self._known(), []
        for name in baselines.names("translate"):
            said = catalog.load("baselines", name).answer(texts.source, known)
            if said is None:
                notes.append(f"The baseline {name} is left out: the training data are not where they were.")
            else:
                answers[name] = [self.target.clean(one) for one in said]
        cut = self.cut
        scores = {
            name: {"bleu": bleu.score(truth, a, cut), "chrf": chrf.score(truth, a), "exact": exact.score(truth, a)}
            for name, a in answers.items()
        }
        notes.append(f"BLEU: {bleu.signature(truth, answers['saiki'], cut, self.target.lower)}")
        ranked = ("exact",) if self.source.units == "characters" and cut == "13a" else ("bleu", "chrf")
        shown = [list(row) for row in zip(texts.source[:10], answers["saiki"][:10], truth[:10], strict=True)]
        tables = [Table("Answers", ["source", "answer", "truth"], shown)]
        return Evaluation(about, scores, notes, ranked_by=ranked, tables=tables)

    @property
    def cut(self) -> str:
        """How BLEU cuts texts into words: not again where they are cut, into signs where a script has no spaces."""
        return self.stored["cut"]

    def _known(self) -> list[tuple[str, str]] | None:
        """The training pairs, where they are at hand or still where they were."""
        texts = self.training
        if texts is None and (path := self.stored["path"]) is not None:
            try:
                everything = self.read(path)
            except DataError:
                return None
            if _fingerprint(everything) != self.stored["fingerprint"]:
                return None
            texts = everything.split(self.options.holdout, MOST_HELD)[0]
        return None if texts is None or texts.target is None else list(zip(texts.source, texts.target, strict=True))

    # What is saved and said.

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source.to_json(), "target": self.target.to_json(), "stored": self.stored}

    @classmethod
    def from_json(cls, options: Translate, stored: dict[str, Any]) -> TranslateTask:
        source, target = TextCodec.from_json(stored["source"]), TextCodec.from_json(stored["target"])
        return cls(options, source, target, stored["stored"], [])

    @property
    def headline(self) -> str:
        return f"{self.source.describe()} to {self.target.describe()}"

    def facts(self) -> list[tuple[str, str]]:
        return [("source", self.source.describe()), ("target", self.target.describe())]

    def prediction(self, folder: Path, data: Path) -> str:
        return super().prediction(folder, Path("FILE"))


def _one(role: str, column: Any) -> str | None:
    if isinstance(column, list | tuple):
        if len(column) != 1:
            raise OptionError(f"{role}: got {len(column)} columns; translate reads one")
        return column[0]
    return column


def _units(training: Pairs) -> str:
    """Letters for words, numbers and dates; byte-pair units for sentences."""
    assert training.target is not None
    counts = [np.mean([len(text.split()) for text in side]) for side in (training.source, training.target)]
    return "characters" if min(counts) < FEW_WORDS else "bytepair"


def _ratio(source: list[int], target: list[int]) -> float:
    """Units of an answer per unit of its source, as high as they come in all but a few pairs."""
    return float(np.quantile(np.array(target) / np.maximum(source, 1), 0.99))


def _fitted(options: Translate, texts: list[str]) -> TextCodec:
    if options.units == "bytepair" and options.vocabulary is None:
        options = options.model_copy(update={"vocabulary": BYTEPAIRS})
    spaced = options.units != "characters"
    return modality.fit((f" {text}" if spaced else text for text in texts), options, head="\n".join(texts[:2000]))


def _encoded(codec: TextCodec, text: str) -> np.ndarray:
    """Units of a text."""
    return codec.encode(_spaced(codec, text))


def _spaced(codec: TextCodec, text: str) -> str:
    """A space in front makes the first word of a text a word like any other."""
    return text.strip() if codec.units == "characters" else f" {text.strip()}"


def _fingerprint(texts: Pairs) -> str:
    both = sorted(zip(texts.source, texts.target or [""] * len(texts), strict=True))
    return hashlib.sha256(json.dumps(both).encode()).hexdigest()


def _said(everything: Pairs, training: Pairs, held: Pairs, codecs: list[TextCodec]) -> list[tuple[str, str]]:
    rows = [("pairs", f"{len(everything):,}, {len(held):,} of them held out")]
    if everything.left_out:
        rows.append(("left out", f"{everything.left_out:,} pairs with an empty side"))
    for name, codec, side in zip(("source", "target"), codecs, (training.source, training.target), strict=True):
        lengths = [len(codec.encode(text)) for text in (side or [])[:2000]]
        rows.append((name, f"{codec.describe()}, {np.mean(lengths):.1f} per text"))
    return rows


def _cut(texts: Sequence[str]) -> str:
    head = "\n".join(texts[:2000])
    return "none" if is_split(head) else "char" if without_spaces(head) else "13a"
