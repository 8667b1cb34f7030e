"""The task tag at work: series with a label per step are read, split, encoded, answered and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from saiki import baselines, catalog
from saiki.data._rows import ranges
from saiki.data.columns import as_polars
from saiki.data.folds import folds, one_group
from saiki.data.frames import like_rows, native
from saiki.data.tagged import Tagged, TagLayout, tagged
from saiki.errors import DataError, OptionError
from saiki.modalities._channels import ChannelCodec
from saiki.modalities._spelling import SpellingCodec
from saiki.modalities.label import LabelCodec
from saiki.network.tagger import Tagger, TagPlan
from saiki.readers import read_frame
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._tag_problem import Encoded, Part, TagProblem
from saiki.tasks._tag_scores import judged
from saiki.tasks._task import Task
from saiki.tasks.tag import Tag

#: known labels that are the least to learn from, and series below which the ends of all are held out
FEWEST, FEW = 20, 20
#: numbers in the vector of a word, and how often one must occur to be known
WORD, OFTEN = 100, 2
#: steps of a stretch that long series are cut into for training, and stretches that there should be
LONGEST, SHORTEST, STRETCHES = 500, 50, 50


class TagTask(Task):
    """Everything but the weights that tagging needs; plain data, saved with the model."""

    answer = "tags"
    options: Tag

    def __init__(
        self, options: Tag, layout: TagLayout, spelling: SpellingCodec | None, channels: ChannelCodec | None,
        label: LabelCodec, plan: TagPlan, fitted: dict[str, Any], training: Tagged | None = None,
    ) -> None:  # fmt: skip
        self.options, self.layout, self.spelling, self.channels = options, layout, spelling, channels
        self.label, self.plan, self.fitted, self.training = label, plan, fitted, training
        self.vectors: tuple[torch.Tensor, torch.Tensor] | None = None
        self.seed = 0

    @classmethod
    def fit(cls, options: Tag, data: Any, columns: dict[str, Any]) -> TagTask:
        """Roles of columns, what is known of words and channels, the labels, sizes; and the baselines."""
        training = tagged(data, group=options.group, **columns)
        if training.answers is None:
            raise DataError(f"no column {training.layout.target!r} with the labels; name it with --target")
        known = int((~training.answers.is_null()).sum())
        if known < FEWEST:
            raise DataError(
                f"{known} steps have a label in column {training.layout.target!r}; expected at least {FEWEST}"
            )
        if options.crf and known < len(training.answers):
            raise OptionError(
                f"--crf needs a label at every step; {len(training.answers) - known} have none; leave it out"
            )
        label = LabelCodec.fit(training.answers)
        if options.vectors and training.words is None:
            raise OptionError("--vectors are of words, and the source has none; leave it out")
        task = cls(options, training.layout, None, None, label, TagPlan((), 1, 0, 0, False), {}, training)
        task._prepare(training, np.arange(len(training)))
        return task

    def _prepare(self, training: Tagged, series: np.ndarray) -> None:
        """What is known of the series, sizes and baselines."""
        own = self.options
        words, vectors = training.words, None
        if words is not None:
            seen = training.select(np.unique(self._series_of(self._seen))).words or []
            self.spelling = SpellingCodec.fit(seen, own.fewest or OFTEN)
            vectors = self._vectors() if own.vectors else None
        if self.layout.channels:
            self.channels = ChannelCodec.fit(training.series, own.normalise, own.fill, own.differences)
        size = own.embedding or (vectors[1].shape[1] if vectors else WORD)
        if vectors and vectors[1].shape[1] != size:
            raise OptionError(f"embedding {size}, but the vectors have {vectors[1].shape[1]} numbers")
        self.vectors = vectors
        count = self._channels(training.select(series[:1])).values.shape[1]
        spelling = self.spelling.sizes if self.spelling else ()
        self.plan = TagPlan(spelling, size, count, len(self.label.classes), own.crf)
        self.fitted = self._baselines(training, self._encoded.truth)

    def _vectors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors made elsewhere for the words that are known: their numbers, and `[found, features]`."""
        from saiki.modalities._vectors import load
        from saiki.modalities.text import SPECIAL, TextCodec

        assert self.spelling is not None
        assert self.options.vectors is not None
        codec = TextCodec("words", (*SPECIAL, *self.spelling.known[0]), "none", True, split=True, spaces=False)
        places, vectors = load(self.options.vectors, codec)
        return torch.from_numpy(places - len(SPECIAL) + 1), torch.from_numpy(vectors)

    # Understanding.

    def read(self, data: Any) -> Tagged:
        """A table read as the training data were."""
        return tagged(data, self.layout)

    def describe(self) -> list[tuple[str, str]]:
        names, truth = self.label.names, self._encoded.truth
        counts = np.bincount(truth[truth >= 0], minlength=len(names))
        order = np.argsort(-counts, kind="stable")[:10]
        words = ", ".join(f"{names[k]} ({counts[k]:,})" for k in order)
        more = f", and {len(names) - 10} more" if len(names) > 10 else ""
        held = int(self._held.lengths.sum())
        how = "whole series" if len(self._own) >= FEW else "the end of every series"
        told = f"{held:,} steps, {how}" if held else "nothing"
        rows = [("labels", f"{words}{more} in {self.layout.target}"), ("held out", told)]
        return [*self._own.describe(), *rows]

    @classmethod
    def validated_apart(cls, options: Tag) -> Tag:
        return options.model_copy(update={"holdout": 0.0})

    def fingerprint(self, data: Any = None) -> str:
        return (self._own if data is None else self.read(data)).fingerprint()

    @property
    def _own(self) -> Tagged:
        assert self.training is not None, "a loaded model has no training data"
        return self.training

    @cached_property
    def _split(self) -> tuple[Part, Part]:
        """The stretches that are learned from, and those held out: whole series, or the ends of all where there are few."""
        own, share = self._own, self.options.holdout
        starts, lengths = own.series.starts, own.lengths
        if not share:
            return Part(starts, lengths), Part(starts[:0], lengths[:0])
        if len(own) < FEW:
            kept = np.maximum(lengths - np.ceil(lengths * share).astype(np.int64), np.minimum(lengths, 1))
            return Part(starts, kept), Part(starts + kept, lengths - kept)
        parts = folds(np.zeros(len(own), np.int64), max(2, round(1 / share)), own.series.group)
        if not parts.any():
            raise one_group(self.options.group)
        return Part(starts[parts != 0], lengths[parts != 0]), Part(starts[parts == 0], lengths[parts == 0])

    @property
    def _seen(self) -> Part:
        return self._split[0]

    @property
    def _held(self) -> Part:
        return self._split[1]

    def _series_of(self, part: Part) -> np.ndarray:
        return np.searchsorted(self._own.series.starts, part.starts, side="right") - 1

    # The network and its training.

    @property
    def default_width(self) -> int:
        return 64 if int(self._own.lengths.sum()) < 20_000 else 128

    def network_defaults(self) -> dict[str, Any]:
        return {"bidirectional": True, "layers": 1, "dropout": 0.3}

    def training_defaults(self) -> dict[str, Any]:
        many = int(self._own.lengths.sum()) >= 20_000
        return {
            "batch": 32 if many else 16,
            "learning_rate": 4e-3,
            "most_epochs": 30 if many else 100,
            "average": 0.99,
        }

    def network(self, options: Any, width: int, seed: int) -> Tagger:
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = Tagger(self.plan, options, width, (self.options.embedding_dropout, self.options.input_dropout))
            if self.vectors is not None:
                made.tables[0].put(*self.vectors)  # type: ignore[operator]
            return made

    @cached_property
    def _encoded(self) -> Encoded:
        return self._encode(self._own)

    def _channels(self, data: Tagged) -> Any:
        from saiki.sequence import Ragged

        if self.channels is None:
            return Ragged(np.zeros((int(data.lengths.sum()), 0), np.float32), data.lengths)
        return self.channels.encode(data.series)[0]

    def _encode(self, data: Tagged) -> Encoded:
        steps = int(data.lengths.sum())
        words = self.spelling.encode(data.words or []) if self.spelling else np.zeros((steps, 0), np.int64)
        truth = np.full(steps, -1) if data.answers is None else self.label.encode(data.answers)
        return Encoded(words, self._channels(data), truth, given=self.spelling is None)

    def problem(self, batch: int, valid: Any = None, whole: bool = False) -> TagProblem:
        own, data = self._own, self._encoded
        everything, nothing = Part(own.series.starts, own.lengths), Part(np.empty(0, np.int64), np.empty(0, np.int64))
        judged, held = data, nothing if whole else self._held
        if valid is not None:
            found = self.read(valid)
            judged, held = self._encode(found), Part(found.series.starts, found.lengths)
        seen = everything if whole or valid is not None else self._seen
        longest = int(np.clip(seen.lengths.sum() // STRETCHES, SHORTEST, LONGEST))
        return TagProblem(data, seen, judged, held, longest, batch, self.seed)

    # Answers.

    @torch.no_grad()
    def tag(self, network: Tagger, data: Encoded) -> tuple[np.ndarray, np.ndarray]:
        """Codes `[steps]` of the best labels, and the probability of every label `[steps, labels]`."""
        network.eval()
        steps = int(data.lengths.sum())
        codes, probabilities = np.empty(steps, np.int64), np.empty((steps, self.plan.labels), np.float32)
        for rows in data.parts(np.arange(len(data.lengths))):
            best, p = network.answers(data.batch(data.starts[rows], data.lengths[rows]))
            places = ranges(data.starts[rows], data.lengths[rows])
            codes[places], probabilities[places] = best.numpy(), p.numpy()
        return codes, probabilities

    def predict(self, network: Tagger, data: Any) -> Any:
        """The rows of `data` in their order: id, time and words as they are, the label, and its probability."""
        source = read_frame(data, names=(self.layout.id,))
        found = self.read(source)
        codes, p = self.tag(network, self._encode(found))
        back = np.argsort(found.at)
        label = self.label.decode(codes[back], "saiki")
        sure = pl.Series("saiki-p", p[np.arange(len(codes)), codes][back].astype(np.float64))
        names = filter(None, (self.layout.id, self.layout.time, self.layout.words))
        kept = [as_polars(source[name]) for name in names]
        path = isinstance(data, str | Path)
        return like_rows(native(pl.DataFrame([*kept, label, sure]), None if path else source), data)

    def evaluate(self, network: Tagger, data: Any, history: Any = None) -> Evaluation:
        """Scores beside the baselines', on every step of `data` that has a label."""
        if history is not None:
            raise OptionError("--history is for forecasts; tag reads series as they are")
        found = self.read(data)
        if found.answers is None:
            raise DataError(f"no column {self.layout.target!r} with the labels; expected it beside the steps")
        encoded = self._encode(found)
        strange = (encoded.truth < 0) & ~found.answers.is_null().to_numpy()
        given = found.answers.cast(pl.String).to_numpy()
        others = sorted({str(name) for name in given[strange]})  # labels that training does not know
        places = {name: len(self.label.names) + place for place, name in enumerate(others)}
        truth = encoded.truth.copy()
        truth[strange] = [places[name] for name in given[strange]]
        judged = Encoded(encoded.words, encoded.channels, truth, encoded.given)
        about = f"{int((truth >= 0).sum()):,} steps"
        told = self._judge(network, found, judged, self.fitted, about, len(truth), others)
        if others:
            told.notes.append(
                f"{int(strange.sum()):,} steps have labels that training does not know ({', '.join(others[:5])}"
                f"{', …' if len(others) > 5 else ''}): no answer can be right there."
            )
        return told

    def answered(self, network: Tagger, data: Any) -> pl.DataFrame:
        """The rows of `data` in their order, the true label beside ours."""
        source = read_frame(data, names=(self.layout.id,))
        if self.layout.target not in source.columns:
            raise DataError(f"no column {self.layout.target!r} with the labels; expected it beside the steps")
        found = self.predict(network, source)
        frame = found if isinstance(found, pl.DataFrame) else pl.DataFrame(found)
        return frame.with_columns(as_polars(source[self.layout.target]).alias("truth"))

    def validation(self, network: Tagger, valid: Any = None) -> Evaluation | None:
        if valid is not None:
            return self.evaluate(network, valid)
        rows = ranges(self._held.starts, self._held.lengths)
        encoded = self._encoded
        hidden = encoded.truth.copy()
        hidden[rows] = -1  # the baselines learn from what the network has seen
        shown = np.full(len(hidden), -1)
        shown[rows] = encoded.truth[rows]
        if not (shown >= 0).any():
            return None
        judged = Encoded(encoded.words, encoded.channels, shown, encoded.given)
        about = f"validation: {int((shown >= 0).sum()):,} steps that training has not seen"
        return self._judge(network, self._own, judged, self._baselines(self._own, hidden), about, len(rows))

    def _judge(
        self,
        network: Tagger,
        data: Tagged,
        encoded: Encoded,
        fitted: dict[str, Any],
        about: str,
        asked: int,
        others: Sequence[str] = (),
    ) -> Evaluation:
        """Scores of what is known of `encoded.truth`; its codes beyond the labels of training are `others`."""
        if not ((encoded.truth >= 0) & (encoded.truth < len(self.label.names))).any():
            raise DataError(f"no step has a label in column {self.layout.target!r} that training knows")
        codes, p = self.tag(network, encoded)
        answers = {"saiki": codes}
        for name, known in fitted.items():
            answers[name] = catalog.load("baselines", name).answer(known, data)
        p = np.pad(p, ((0, 0), (0, len(others))))
        return judged([*self.label.names, *others], answers, p, encoded.truth, data, about, asked)

    def _baselines(self, data: Tagged, truth: np.ndarray) -> dict[str, Any]:
        names = baselines.names("tag")
        found = {name: catalog.load("baselines", name).fit(data, truth, len(self.label.classes)) for name in names}
        return {name: known for name, known in found.items() if known is not None}

    def stream(self, network: Tagger) -> Any:
        """Labels step by step; for a network in one direction, without --crf."""
        from saiki.tasks._tag_stream import TagStream

        if not network.stack.causal:
            self.cannot("stream", "--bidirectional needs the whole sequence; train with --no-bidirectional")
        if self.plan.crf:
            self.cannot("stream", "--crf judges the labels of a whole sequence together; train without it")
        if self.channels is not None and self.options.normalise in ("series", "both"):
            self.cannot("stream", f"--normalise {self.options.normalise} needs the whole series; use --normalise train")
        return TagStream(self, network)

    # What is saved and said.

    @property
    def headline(self) -> str:
        return f"{len(self.label.classes)} labels"

    def facts(self) -> list[tuple[str, str]]:
        known = f"{self.plan.spelling[0] - 1:,} known, and how all are spelt" if self.plan.spelling else "none"
        how = "together (a conditional random field)" if self.plan.crf else "step by step"
        return [("words", known), ("channels", str(len(self.layout.channels))), ("labels", f"judged {how}")]

    def next_commands(self, folder: Path, data: Path) -> list[str]:
        _, evaluate, inspect = super().next_commands(folder, data)
        return [f"{evaluate}    (one that training has not seen)", self.prediction(folder, data), inspect]

    def to_json(self) -> dict[str, Any]:
        parts = {"spelling": self.spelling, "channels": self.channels, "label": self.label, "layout": self.layout}
        known = {name: None if part is None else part.to_json() for name, part in parts.items()}
        return known | {"plan": asdict(self.plan), "baselines": self.fitted}

    @classmethod
    def from_json(cls, options: Tag, stored: dict[str, Any]) -> TagTask:
        spelling = SpellingCodec.from_json(stored["spelling"]) if stored["spelling"] else None
        channels = ChannelCodec.from_json(stored["channels"]) if stored["channels"] else None
        plan = TagPlan(**stored["plan"] | {"spelling": tuple(stored["plan"]["spelling"])})
        layout, label = TagLayout.from_json(stored["layout"]), LabelCodec.from_json(stored["label"])
        return cls(options, layout, spelling, channels, label, plan, stored["baselines"])
