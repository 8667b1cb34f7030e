"""The task classify for documents: a column of text is cut into units, read, pooled and labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
import polars as pl
import torch

from saiki.baselines import majority, tfidf
from saiki.baselines._logistic import probabilities
from saiki.data.texts import Documents, documents, layout_for
from saiki.errors import OptionError
from saiki.modalities import text as modality
from saiki.modalities._vectors import load as load_vectors
from saiki.modalities._words import sentences
from saiki.modalities.label import LabelCodec
from saiki.modalities.text import TextCodec
from saiki.network.labeller import LabelPlan
from saiki.network.reader import TextLabellers
from saiki.sequence import Ragged
from saiki.tasks import _baseline_share
from saiki.tasks._classifying import ClassifyTask
from saiki.tasks._evaluation import Evaluation, Passage, Table
from saiki.tasks._label_problem import Encoded, LabelProblem
from saiki.tasks._labelling import learnable
from saiki.tasks._passages import passages
from saiki.tasks.classify import Classify

#: numbers in the vector of a word, and of a character
WORD, CHARACTER = 100, 32
#: options that are for series
OF_SERIES = ("static", "patch", "differences", "fill", "normalise", "channels")
#: units of a document that are read, the last ones: longer ones cost time, and their ends say most
MOST_UNITS = 2000
#: units of a sentence that is read as a whole
LONGEST = 50
#: characters from which is found how words are cut
HEAD = 100_000
#: documents of so many words are names, read by their characters
NAME_WORDS = 2
#: documents of which a report shows what was looked at, and how many units of each
SHOWN, UNITS = 10, 8
#: networks that are averaged, of fewer documents than these and of more
SMALL, FEW_MEMBERS = 3000, 3


def _check_alone(options: Classify, columns: dict[str, Any]) -> None:
    """OptionError for what is asked of series and means nothing for documents."""
    given = [name for name in OF_SERIES if name in options.model_fields_set and getattr(options, name)]
    if given or columns.get("static") or columns.get("time"):
        name = given[0] if given else "static" if columns.get("static") else "time"
        raise OptionError(f"--{name} is for series; documents are read by their text alone: leave it out")


class DocumentTask(ClassifyTask):
    """`ClassifyTask` whose series are documents. `codec` is that of the text."""

    items = "documents"
    partner = "tfidf"
    closed_form = False  # the vectors of the units are learned
    text: TextCodec
    _kept: Callable[[Sequence[str]], np.ndarray] | None = None
    vectors: tuple[torch.Tensor, torch.Tensor] | None = None

    @classmethod
    def fit_documents(cls, options: Classify, data: Any, column: str, columns: dict[str, Any]) -> DocumentTask:
        """Units of the text, classes, sizes, and the baselines on all of it."""
        _check_alone(options, columns)
        layout = layout_for(column, columns, options.group, data.columns)
        everything = documents(data, layout, training=True, sets=options.multi_label)
        training = learnable(everything, "documents", "a label", "text")
        assert training.answers is not None
        label = cls.label_of(options, training.answers)
        head = "\n".join(training.texts)[:HEAD]
        longer = float(np.median([len(text.split()) for text in training.texts])) > NAME_WORDS
        units = options.units or ("bytepair" if options.tokenizer else modality.natural_units(head, words_first=longer))
        lower = units != "characters" if options.lower is None else options.lower
        options = options.model_copy(update={"units": units, "lower": lower})
        text = modality.fit(iter(training.texts), options, spaces=False, head=head)
        vectors = load_vectors(options.vectors, text) if options.vectors else None
        size = options.embedding or (vectors[1].shape[1] if vectors else WORD if units != "characters" else CHARACTER)
        if vectors and vectors[1].shape[1] != size:
            raise OptionError(f"embedding {size}, but the vectors have {vectors[1].shape[1]} numbers")
        members = options.ensemble or (FEW_MEMBERS if len(training) < SMALL else 1)
        pooling = (
            ("attention",) if options.hierarchical and "pooling" not in options.model_fields_set else options.pooling
        )
        plan = LabelPlan(size, 0, len(label.classes), 1, pooling, members, options.multi_label)
        task = cls(options, layout, None, label, plan, {}, training)  # type: ignore[arg-type]
        task.text = text
        task.vectors = (torch.from_numpy(vectors[0]), torch.from_numpy(vectors[1])) if vectors else None
        task.fitted = task._baselines(np.arange(len(training)))
        return task

    @classmethod
    def label_of(cls, options: Classify, answers: pl.Series) -> Any:
        """The codec of the answers."""
        return LabelCodec.fit(answers)

    def read(self, data: Any) -> Documents:  # type: ignore[override]
        options, classes = self.options, tuple(self.label.names)
        return documents(data, self.layout, False, options.encoding, options.multi_label, classes)

    def network_defaults(self) -> dict[str, Any]:
        return {"bidirectional": True, "layers": 1, "dropout": 0.5}

    def training_defaults(self) -> dict[str, Any]:
        size = len(self._own)
        return {
            "batch": 32 if size < 3000 else 64,
            "learning_rate": 3e-3,
            "most_epochs": 60 if size < 3000 else 25,
            "average": 0.99,
        }

    def network(self, options: Any, width: int, seed: int) -> TextLabellers:  # type: ignore[override]
        own = self.options
        units = 0.1 if own.embedding_dropout is None else own.embedding_dropout
        drops = units, 0.3 if own.input_dropout is None else own.input_dropout
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            size, split = self.text.size, own.hierarchical
            return TextLabellers(self.plan, options, width, size, drops, self.vectors, split)

    def _encode(self, data: Any, truth: np.ndarray | None = None) -> Encoded:
        encode = self._by_sentence if self.options.hierarchical else lambda text: self.text.encode(text)[:, None]
        units = [encode(document)[-MOST_UNITS:].astype(np.int64) for document in data.texts]
        if self.options.hierarchical:
            for part in units:
                part[:, 1] -= part[:1, 1]
        values = np.concatenate(units) if units else np.empty((0, 1 + self.options.hierarchical), np.int64)
        steps = Ragged(values, np.array([len(u) for u in units], np.int64))
        truth = np.zeros(len(data), np.int64) if truth is None else truth
        return Encoded(steps, np.zeros((len(data), 0), np.float32), truth, 0)

    def parts(self, text: str) -> list[str]:
        """What is cut into units on its own: sentences, or the whole text."""
        return sentences(text) if self.options.hierarchical else [text]

    def units(self, text: str) -> list[str]:
        """What the network reads of a text, as it stands there."""
        return [piece for part in self.parts(text) for piece in self.text.pieces(part)][-MOST_UNITS:]

    def _by_sentence(self, text: str) -> np.ndarray:
        """Units of a text, and the number of the sentence of each: `[units, 2]`. Sentences that are too long are cut."""
        found: list[np.ndarray] = []
        for sentence in map(self.text.encode, self.parts(text)):
            found += [sentence[k : k + LONGEST] for k in range(0, len(sentence), LONGEST)]
        numbers = np.repeat(np.arange(len(found)), [len(part) for part in found])
        return np.stack([np.concatenate([*found, np.empty(0, np.int32)]), numbers], 1)

    def problem(self, batch: int, valid: Any = None, whole: bool = False) -> LabelProblem:
        if self.options.augment:
            raise OptionError("--augment changes series of numbers, and has no meaning for text; leave it out")
        made = super().problem(batch, valid, whole)
        made.changes = ()
        return made

    def _baselines(self, rows: np.ndarray) -> dict[str, Any]:
        truth, texts = self._encoded.truth[rows], [self._own.texts[k] for k in rows]  # type: ignore[attr-defined]
        return {
            "majority": majority.fit(np.zeros((len(rows), 0)), truth, self.plan.outputs),
            "tfidf": tfidf.fit(
                texts, truth, self.plan.outputs, self._characters, self.options.class_weight == "balanced"
            ),
        }

    @property
    def _characters(self) -> bool:
        """Whether the bag of words is one of characters, too."""
        return self.text.units == "characters"

    def _bag(self, fitted: dict[str, Any], name: str) -> Callable[[Sequence[str]], np.ndarray]:
        """What gives the scores of the bag of words; the one of all training data is kept, a stream asks it often."""
        if fitted is not self.fitted:
            return tfidf.reader(fitted[name])
        if self._kept is None:
            self._kept = tfidf.reader(fitted[name])
        return self._kept

    def _by_baselines(self, fitted: dict[str, Any], data: Any) -> dict[str, np.ndarray]:
        return {
            "majority": majority.answer(fitted["majority"], np.zeros((len(data), 0))),
            "tfidf": probabilities(self._bag(fitted, "tfidf")(data.texts)),
        }

    def evaluate(self, network: Any, data: Any, history: Any = None) -> Evaluation:
        known = cast(Documents, self._known(data)[0])
        found = replace(super().evaluate(network, data, history), judged=known)
        if "attention" in self.plan.pooling:
            found.tables.append(self._looked_at(network, known))
        return found

    def passages(self, network: Any, evaluation: Evaluation) -> list[Passage]:
        return [] if evaluation.judged is None else passages(self, network, evaluation.judged)

    def answer_names(self, network: Any, data: Documents) -> list[str]:
        """The answer to every document, as `predict` names it."""
        given = self.columns(self.decode(self._answers(network, cast(Any, data))))[0].to_list()
        return [one if isinstance(one, str) else ", ".join(map(str, one)) for one in given]

    def likeliest(self, network: Any, data: Documents) -> np.ndarray:
        """The answer with the highest score, of network and baseline together: `[documents]`."""
        return self._answers(network, cast(Any, data)).argmax(1)

    @torch.no_grad()
    def attention(self, network: Any, data: Any) -> list[tuple[list[str], np.ndarray]]:
        """Of every document its units as they were read, and how much each counts, the mean over networks."""
        if "attention" not in self.plan.pooling:
            self.cannot(
                "show attention", f"it pools by {' and '.join(self.plan.pooling)}; train with --pooling attention"
            )
        network.eval()
        given: Documents = data if isinstance(data, Documents) else self.read(data)
        encoded, found = self._encode(given), []
        for row, text in enumerate(given.texts):
            batch, units = encoded.batch(np.array([row])), self.units(text)
            looks = [member.looks(batch)[0] for member in network.members] if len(units) else [torch.zeros(0)]
            found.append((units, torch.stack(looks).mean(0).numpy()))
        return found

    def _looked_at(self, network: Any, data: Documents) -> Table:
        """The units that counted most, in the order of the text."""
        some = data.select(np.arange(min(SHOWN, len(data))))
        given, rows, shades = self.columns(self.decode(self._answers(network, cast(Any, some))))[0].to_list(), [], []
        for number, (units, weights) in enumerate(self.attention(network, some)):
            top = np.sort(np.argsort(-weights, kind="stable")[:UNITS])
            empty, most = UNITS - len(top), max(float(weights.max(initial=0)), 1e-9)
            rows.append([str(some.ids[number]), str(given[number]), *(units[k] for k in top), *[""] * empty])
            shades.append([0.0, 0.0, *(float(weights[k]) / most for k in top), *[0.0] * empty])
        head = [self.layout.id or "row", "answered", *map(str, range(1, UNITS + 1))]
        return Table(
            "What attention looked at", head, rows, "The units that counted most, in order; shaded by how much.", shades
        )

    def facts(self) -> list[tuple[str, str]]:
        several = f"{self.plan.members} networks, averaged; " if self.plan.members > 1 else ""
        return [
            ("units", self.text.describe()),
            ("answers", f"{several}pooled by {' and '.join(self.plan.pooling)}"),
            *_baseline_share.facts(self),
            ("stream", "text as it arrives, for networks in one direction, without --pooling attention"),
        ]

    def stream(self, network: Any) -> Any:
        """Labels of the text so far."""
        from saiki.tasks._document_stream import DocumentStream

        if self.options.hierarchical:
            self.cannot("stream", "--hierarchical needs whole sentences; train without it")
        if not network.members[0].labeller.stack.causal:
            self.cannot("stream", "--bidirectional needs the whole document; train with --no-bidirectional")
        if "attention" in self.plan.pooling:
            self.cannot("stream", "--pooling attention needs the whole document; leave attention out")
        return DocumentStream(self, network)

    def _leaks(self) -> list[str]:
        """Documents that stand in training and in validation too."""
        parts: dict[str, set[int]] = {}
        for text, part in zip(self._own.texts, self._folds.tolist(), strict=True):  # type: ignore[attr-defined]
            parts.setdefault(text, set()).add(part)
        count = sum(len(where) > 1 for where in parts.values())
        told = "copies in training and validation flatter the scores; remove them, or name what they share with --group"
        return [f"LEAK: {count} documents stand in the table more than once: {told}."] if count else []

    def describe(self) -> list[tuple[str, str]]:
        rows = [*super().describe(), ("units", self.text.describe())]
        texts = cast(Any, self._own).texts
        if long := sum(self._units_of(text) > MOST_UNITS for text in texts if len(text) > MOST_UNITS):
            most = f"{MOST_UNITS:,}"
            rows.append(
                (
                    "note",
                    f"{long:,} of {len(texts):,} documents have more than {most} units: their last {most} are read.",
                )
            )
        return rows

    def _units_of(self, text: str) -> int:
        return sum(len(self.text.encode(part)) for part in self.parts(text))

    def to_json(self) -> dict[str, Any]:
        plan, text = asdict(self.plan), self.text.to_json()
        known = {"layout": self.layout.to_json(), "label": self.label.to_json(), "baselines": self.fitted}
        return {**known, "plan": plan, "text": text, "beside": self.beside}

    @classmethod
    def from_json(cls, options: Any, stored: dict[str, Any]) -> DocumentTask:
        plan = LabelPlan(**stored["plan"] | {"pooling": tuple(stored["plan"]["pooling"])})
        layout = layout_for(stored["layout"]["source"][0], stored["layout"], stored["layout"]["group"])
        label = cls.label_from_json(stored["label"])
        task = cls(options, layout, None, label, plan, stored["baselines"])  # type: ignore[arg-type]
        task.text = TextCodec.from_json(stored["text"])
        task.beside = float(stored.get("beside", 0.0))
        return task
