"""The task generate at work: fitted to a text, it builds a language model, judges it, and lets it write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import torch

from saiki.data.documents import text_parts
from saiki.data.ngrams import frequent, longest_of
from saiki.data.tokens import Part, Tokens, cut, length, together, tokens
from saiki.errors import DataError, ModelError, OptionError
from saiki.modalities import text as modality
from saiki.modalities._vectors import load as load_vectors
from saiki.modalities.text import END, TextCodec
from saiki.network.language import LanguageModel, Sizes
from saiki.network.options import Network
from saiki.tasks import _dynamic, _recipe
from saiki.tasks._counted_share import SETTLED, CountedShare, counted, settle
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._language_scores import judge, scores_of
from saiki.tasks._reading import ReadingProblem, surprises
from saiki.tasks._task import Task
from saiki.tasks.generate import Generate
from saiki.training.options import Training

#: options that a model which goes on takes from the one it began as
KEPT = (
    "units",
    "vocabulary",
    "fewest",
    "unicode",
    "lower",
    "tokenizer",
    "split",
    "embedding",
    "tied",
    "softmax",
    "ngrams",
    "ngram_fewest",
    "ngram_vectors",
)
#: units of the longest groups of characters that have vectors
LONGEST = 6
#: characters from which is found how words are cut
HEAD = 100_000


class GenerateTask(Task):
    """Everything but the weights that a language model needs; plain data, saved with the model."""

    takes = ("source",)
    answer = "text"
    cuts = True

    options: Generate

    def __init__(
        self,
        options: Generate,
        codec: TextCodec,
        source: dict[str, Any],
        opening: int,
        counts: list[int],
        groups: int | None = None,
    ) -> None:
        self.options, self.codec, self.source, self.opening, self.counts = options, codec, source, opening, counts
        self.groups = groups  # how many have vectors, and their keys while training; None: not found yet
        self.keys: np.ndarray | None = None
        self.training: Tokens | None = None
        self.held: Tokens | None = None
        self.vectors: tuple[np.ndarray, np.ndarray] | None = None
        self.said: list[tuple[str, str]] = []
        self.beside = self.before = CountedShare()  # that of the model which training goes on from
        self.goes_on = False  # from another model
        self.given = Training.model_construct()
        self.layers = 2

    # The text.

    @classmethod
    def fit(cls, options: Generate, data: Any, columns: dict[str, Any]) -> GenerateTask:
        """Understand the text: its units, what is held out, how it begins."""
        return cls._fitted(options, data, columns, None)

    @classmethod
    def fit_from(cls, options: Generate, data: Any, columns: dict[str, Any], base: Any) -> GenerateTask:
        """The same with the units and sizes of the model that training goes on from."""
        if not isinstance(base.task, GenerateTask):
            raise ModelError(f"--from: a model of the task {base.name} cannot go on as generate")
        if options.vectors is not None:
            raise OptionError(
                "--vectors are where a model begins, and this one goes on from another; leave --vectors out"
            )
        old = base.task.options
        kept = {n: getattr(old, n) for n in KEPT}
        if "counted" not in options.model_fields_set:
            kept["counted"] = old.counted
        is_now = kept | {"tied": base.network.sizes.tied, "lower": bool(old.lower), "split": base.task.codec.split}
        for name in sorted(options.model_fields_set & set(KEPT)):
            if getattr(options, name) != is_now[name]:
                raise OptionError(
                    f"{name} {getattr(options, name)} is not that of the model to go on from, {is_now[name]}; "
                    f"leave --{name.replace('_', '-')} out"
                )
        options = options.model_copy(update=kept)
        return cls._fitted(options, data, columns, base)

    @classmethod
    def _fitted(cls, options: Generate, data: Any, columns: dict[str, Any], base: Any) -> GenerateTask:
        column = _one(columns.get("source"))
        parts = lambda: text_parts(data, column, options.documents, options.encoding)  # noqa: E731
        total = length(parts())
        if not total:
            raise DataError("the text is empty; expected at least a few hundred characters")
        kept = int(total * (1 - options.holdout))
        codec = None if base is None else base.task.codec
        if codec is None:
            head = "".join(text for text, _ in cut(parts(), 0, HEAD))
            units = options.units or ("bytepair" if options.tokenizer else "characters")
            options = options.model_copy(update={"units": units})
            codec = modality.fit((text for text, _ in cut(parts(), 0, kept)), options, head=head)
        training = tokens(cut(parts(), 0, kept), codec)
        held = tokens(cut(parts(), kept, None), codec) if kept < total else None
        counts = np.bincount(np.asarray(training.values), minlength=codec.size)
        source = {"path": _path(data), "column": column, "characters": kept, "fingerprint": training.fingerprint}
        task = cls(options, codec, source, _opening(codec, counts), counts.tolist())
        task.training, task.held = training, held
        if base is not None:
            task.groups, task.before, task.goes_on = base.task.groups, base.task.beside, True
        task.said = _said(codec, total, training, held)
        if options.vectors is not None:
            task.vectors = load_vectors(options.vectors, codec)
            task.said.append(
                ("vectors", f"{len(task.vectors[0]):,} of {codec.size - 2:,} units, {task.vectors[1].shape[1]} numbers")
            )
        return task

    @classmethod
    def validated_apart(cls, options: Generate) -> Generate:
        return options.model_copy(update={"holdout": 0.0})

    def describe(self) -> list[tuple[str, str]]:
        return self.said

    def fingerprint(self, data: Any = None) -> str:
        return self.source["fingerprint"] if data is None else self.read(data).fingerprint

    def read(self, data: Any) -> Tokens:
        """A text as units, read as the training text was."""
        return tokens(self._parts(data), self.codec)

    def _parts(self, data: Any) -> Iterator[Part]:
        return text_parts(data, self.source["column"], self.options.documents, self.options.encoding)

    # The network and its training.

    def asked(self, network: Network, training: Training) -> None:
        self.given, self.layers = training, network.layers if "layers" in network.model_fields_set else 2
        self.asked_width = network.width
        self._find_groups(_recipe.fewest(self._passes(self.asked_width or self.default_width)))
        if self.groups:
            self.said.append(("groups", f"{self.groups:,} of 2 to {self.options.ngrams} units have a vector"))

    def _find_groups(self, fewest: int) -> None:
        """Which groups of units have vectors: those frequent in the text, unless training goes on from a model that has its own."""
        if self.groups is not None:
            return
        own, units = self.options, self.codec.size
        longest = own.ngrams or (min(LONGEST, longest_of(units)) if own.units == "characters" else 1)
        fewest = own.ngram_fewest or fewest
        numbers = own.embedding if self.vectors is None else self.vectors[1].shape[1]
        most = own.ngram_vectors or _recipe.most_groups(units, self.asked_width or self.default_width, numbers)
        self.options = own.model_copy(update={"ngrams": longest, "ngram_fewest": fewest, "ngram_vectors": most})
        self.groups = 0
        if longest > 1:
            assert self.training is not None
            self.keys = frequent(self.training.values, units, longest, fewest, most)
            self.groups = len(self.keys)

    @property
    def default_width(self) -> int:
        assert self.training is not None
        return _recipe.width_for(len(self.training), self.codec.size, self._softmax, self.given, self.layers)

    def network_defaults(self) -> dict[str, Any]:
        assert self.training is not None
        width = self.asked_width or self.default_width
        return _recipe.network_defaults(self._passes(width), self.options.units != "characters", width)

    def _passes(self, width: int) -> float:
        """How often training reads the text, roughly."""
        assert self.training is not None
        return _recipe.passes(len(self.training), self.codec.size, self._softmax, self.given, width, self.layers)

    @property
    def _softmax(self) -> str:
        return self.options.softmax or _recipe.softmax_for(self.codec.size)

    def training_defaults(self) -> dict[str, Any]:
        assert self.training is not None
        width = self.asked_width or self.default_width
        words, counted = self.options.units != "characters", self.given.steps is not None
        found = _recipe.training_defaults(self._passes(width), len(self.training), width, words, counted)
        # what the other model knows is not to be forgotten
        return found | ({"weight_decay": _recipe.LEAST_DECAY} if self.goes_on else {})

    def network(self, options: Network, width: int, seed: int) -> LanguageModel:
        if options.bidirectional:
            raise OptionError("a language model reads forwards: --bidirectional has no meaning for generate")
        own, units = self.options, self.codec.size
        softmax = self._softmax
        adaptive = softmax == "adaptive"
        if adaptive and own.tied:
            raise OptionError(
                "tied weights need the full or the sampled softmax; give one of --tied and --softmax adaptive"
            )
        embedding = own.embedding or _recipe.embedding_for(units, width)
        if self.vectors is not None:
            embedding = own.embedding or self.vectors[1].shape[1]
            if embedding != self.vectors[1].shape[1]:
                raise OptionError(f"embedding {embedding}, but the vectors have {self.vectors[1].shape[1]} numbers")
        # the sizes are stored, so that a loaded model needs neither the vectors nor the budget
        dropped = own.ngram_dropout
        if dropped is None:
            dropped = _recipe.group_dropout(self._passes(width)) if self.training is not None else 0.0
        found = {"embedding": embedding, "ngram_dropout": dropped, "softmax": softmax}
        self.options = own = own.model_copy(update=found)
        sizes = Sizes(
            units=units,
            embedding=embedding,
            tied=units > 512 and not adaptive if own.tied is None else own.tied,
            adaptive=adaptive,
            sampled=softmax == "sampled",
            embedding_dropout=own.embedding_dropout or 0.0,
            input_dropout=own.input_dropout or 0.0,
            output_dropout=options.dropout if own.output_dropout is None else own.output_dropout,
            activation=own.activation_regularisation,
            change=own.temporal_regularisation,
            longest=own.ngrams or 1,
            groups=self.groups or 0,
            group_dropout=own.ngram_dropout or 0.0,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = LanguageModel(sizes, options, width)
            if not adaptive:  # what is frequent is probable before anything is learned
                counts = torch.tensor(self.counts, dtype=made.bias.dtype) + 1
                made.bias.detach().copy_((counts / counts.sum()).log())
            if made.grams is not None and self.keys is not None:
                made.grams.keys.copy_(torch.from_numpy(self.keys))
            if self.vectors is not None:
                made.embedding.put(torch.from_numpy(self.vectors[0]), torch.from_numpy(self.vectors[1]))
        return made

    def problem(self, batch: int, valid: Any = None, whole: bool = False) -> ReadingProblem:
        assert self.training is not None
        text, held = self.training, self.held if valid is None else self.read(valid)
        if whole:
            text, held = text if self.held is None else together(text, self.held), None
        return ReadingProblem(text, held, batch, self.given.bptt or _recipe.BPTT, self.given.seed)

    def settle(self, network: Any, valid: Any = None, searched: Any = None) -> None:
        """Count the training text, and settle the share of the counts on what is held out, if anything is."""
        held = self.held if valid is None else self.read(valid)
        if not self.options.counted or self.training is None or searched is not None:
            return
        if held is None:
            self.beside = self.before
            return
        nats = surprises(network, held, lines=8, opening=self.opening, most=SETTLED)
        own = counted(self.training, self.codec.size, self.codec.units, self.given.seconds)
        candidates = [own] if self.before.counts is None else [own, self.before.counts]
        self.beside = settle(candidates, held.take(0, len(nats)), nats, self.opening)

    # Answers.

    def surprises(self, network: Any, text: Tokens, lines: int) -> np.ndarray:
        """-log p of every unit of a text, in nats: of the network, with the share of the counts."""
        found = surprises(network, text, lines=lines, opening=self.opening)
        return self.beside.surprise(found, text.take(0, len(text)), self.opening)

    def predict(self, network: Any, data: Any) -> Any:
        self.cannot("predict", "a language model writes and scores text; use saiki generate, evaluate or stream")

    def evaluate(self, network: Any, data: Any, history: Any = None, adaptive: bool | None = None) -> Evaluation:
        """Scores of a text; `adaptive`: those of a copy of the network that learns from the text as it reads it, too."""
        text = self.read(data)
        found = self.surprises(network, text, lines=1)
        before, note = self._before(history)
        told = judge(self, text, found, before, f"{len(text):,} units, {text.characters:,} characters")
        if adaptive:
            units = np.asarray(text.values, np.int64)
            learned = self.beside.surprise(_dynamic.surprises(network, units, self.opening), units, self.opening)
            _dynamic.show(told, scores_of(learned, text))
        return told if note is None else _noted(told, note)

    def surprise(self, network: Any, data: Any) -> Iterator[tuple[str, float]]:
        """Every unit of a text as it stands there, and its surprise in nats."""
        found = self.surprises(network, self.read(data), lines=1)
        yield from zip(self._pieces(data), map(float, found), strict=True)

    def _pieces(self, data: Any) -> Iterator[str]:
        for text, ends in self._parts(data):
            yield from self.codec.pieces(text)
            if ends:
                yield self.codec.name(END)

    def validation(self, network: Any, valid: Any = None) -> Evaluation | None:
        text = self.held if valid is None else self.read(valid)
        if text is None:
            return None
        found = self.surprises(network, text, lines=8)
        assert self.training is not None
        return judge(self, text, found, np.asarray(self.training.values), f"validation: {text.characters:,} characters")

    def _before(self, history: Any) -> tuple[np.ndarray | None, str | None]:
        """The training text, for the n-gram baseline, or why it is not there."""
        if history is not None:
            return np.asarray(self.read(history).values), None
        if (found := self.training_text()) is not None:
            return np.asarray(found.values), None
        return None, (
            "the n-gram baseline is left out: the training text is not where it was, or has changed; give it with --history"
        )

    def training_text(self) -> Tokens | None:
        """The training text, if it is still where it was and unchanged."""
        if self.training is not None:
            return self.training
        path = self.source["path"]
        if path is None or not Path(path).exists():
            return None
        try:
            found = tokens(cut(self._parts(path), 0, self.source["characters"]), self.codec)
        except DataError:
            return None
        return found if found.fingerprint == self.source["fingerprint"] else None

    def generate(self, network: Any, **options: Any) -> Any:
        from saiki.tasks._writing import write

        return write(self, network, **options)

    def stream(self, network: Any) -> Any:
        from saiki.tasks._writing import TextStream

        return TextStream(self, network)

    # What is saved and said.

    def to_json(self) -> dict[str, Any]:
        own = {"source": self.source, "opening": self.opening, "counts": self.counts, "groups": self.groups or 0}
        own["counted"] = self.beside.share
        return {"codec": self.codec.to_json(), **own}

    @classmethod
    def from_json(cls, options: Generate, stored: dict[str, Any]) -> GenerateTask:
        codec = TextCodec.from_json(stored["codec"])
        return cls(options, codec, stored["source"], stored["opening"], stored["counts"], stored.get("groups", 0))

    def files(self) -> dict[str, bytes]:
        return self.beside.files()

    @classmethod
    def restore(cls, options: Generate, stored: dict[str, Any], files: dict[str, bytes]) -> GenerateTask:
        task = cls.from_json(options, stored)
        task.beside = CountedShare.read(stored.get("counted", 0.0), files, task.codec.size)
        return task

    @property
    def headline(self) -> str:
        return self.codec.describe()

    def facts(self) -> list[tuple[str, str]]:
        told = [("units", self.codec.describe()), ("stream", "a step per unit")]
        if (counts := self.beside.counts) is not None:
            words = f"{len(counts.keys):,} n-grams of up to {counts.order} units"
            told.append(("counted", f"{words} have a share of {self.beside.share:.2f} in every answer"))
        return told

    def next_commands(self, folder: Path, data: Path) -> list[str]:
        _, evaluate, inspect = super().next_commands(folder, data)
        return [f"saiki generate {quote(str(folder))} --prompt TEXT --length 500", evaluate, inspect]


def _one(column: Any) -> str | None:
    if isinstance(column, list | tuple):
        if len(column) != 1:
            raise OptionError(f"source: got {len(column)} columns; generate reads one column of texts")
        return column[0]
    return column


def _path(data: Any) -> str | None:
    return str(Path(data).resolve()) if isinstance(data, str | Path) else None


def _opening(codec: TextCodec, counts: np.ndarray) -> int:
    """The unit that stands before the first: the end of a document, else a line feed, else the most frequent unit."""
    if counts[END]:
        return END
    feed = codec.encode("\n")
    return int(feed[0]) if len(feed) == 1 and counts[feed[0]] else int(counts.argmax())


def _said(codec: TextCodec, total: int, training: Tokens, held: Tokens | None) -> list[tuple[str, str]]:
    rows = [("text", f"{total:,} characters, {len(training) + (len(held) if held else 0):,} units")]
    rows.append(("units", codec.describe()))
    share = (training.unknown + (held.unknown if held else 0)) / (len(training) + (len(held) if held else 0))
    if share:
        rows.append(("unknown", f"{share:.1%} of the units are not known by themselves"))
    rows.append(("held out", f"the last {held.characters:,} characters" if held else "nothing"))
    return rows


def _noted(found: Evaluation, note: str) -> Evaluation:
    found.notes.append(note)
    return found
