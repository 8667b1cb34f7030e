"""A language model that writes: continues prompts, completes them with candidates, and follows text as it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from saiki.decoding.beam import Candidate, beam
from saiki.decoding.sampling import Sampling, draw, probabilities
from saiki.errors import DataError, OptionError, refused
from saiki.modalities.text import END, UNKNOWN
from saiki.network.grams import GramSteps
from saiki.network.language import LanguageModel
from saiki.network.streaming import StackStream
from saiki.tasks._rows_given import known_by

#: candidates of the next unit that a stream names
NAMED = 5
#: texts whose states a stream keeps
MOST_TEXTS = 10_000
#: the last word of a text, with what stands in front of it, and the longest that a stream waits for
_LAST_WORD, LONGEST_WORD = re.compile(r"\s*\S*$"), 64


def _listed(stop: Any) -> Any:
    """One text is a list of it."""
    return (stop,) if isinstance(stop, str) else stop


class Writing(Sampling):
    """How text is written. Drawn unit by unit, unless `beam` or `candidates` asks for the most probable text as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: int = Field(500, ge=0, description="Units to write at most.")
    stop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)] = Field(
        (), description="Text at which writing stops, and that is left out."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of what is drawn.")
    beam: int | None = Field(None, ge=1, le=1000, description="Answers that are followed side by side; 1 is greedy.")
    candidates: int | None = Field(None, ge=1, le=1000, description="Completions to give, with their probabilities.")
    block: int = Field(0, ge=0, description="With beam or candidates: no group of so many units comes twice.")


class Pen:
    """The state of a model in one text: takes units, and says how probable every next one is."""

    def __init__(self, task: Any, network: LanguageModel) -> None:
        self.task, self.network = task, network.eval()
        self.steps, self.beside = StackStream(network.stack), task.beside
        self.groups = None if network.grams is None else GramSteps(network.grams)
        self._vectors = network.embedding.table.weight.detach()
        self.restart()

    def restart(self) -> None:
        """At the beginning of a text."""
        self.state = _beginning(self.task, self.network)
        self.push(self.task.opening)

    @property
    def state(self) -> Any:
        """As the network has it."""
        groups = [[self.groups.state]] if self.groups else []
        return [*self.steps.state, *groups], self.before

    @state.setter
    def state(self, state: Any) -> None:
        layers, self.before = state
        if self.groups:
            *layers, (self.groups.state,) = layers
        self.steps.state = layers

    @torch.no_grad()
    def push(self, unit: int) -> None:
        """One more unit."""
        if self.beside.counts is not None:
            self.before = self.beside.counts.after(self.before, np.array([unit]))
        x = self._vectors[unit]
        if self.groups:
            x = x + self.groups.push(unit)
        self.h = self.network.leave(self.steps.push(x), x)

    @torch.no_grad()
    def logarithms(self) -> np.ndarray:
        """log p of every next unit."""
        found = self.network.logarithms(self.h).numpy()
        return found if self.beside.counts is None else self.beside.logarithms(found[None], self.before)[0]


def write(task: Any, network: Any, prompt: str | Sequence[str] = "", **options: Any) -> Any:
    """Text after a prompt, without it; of several prompts a list, each as it would be alone.

    With `candidates`, a list of pairs per prompt: a text and its probability.
    """
    try:
        how = Writing(**options)
    except ValidationError as error:
        raise refused(error) from None
    if how.block and not (how.beam or how.candidates):
        raise OptionError(
            f"got block {how.block} for units that are drawn; give --beam or --candidates too, or leave --block out"
        )
    if not isinstance(prompt, str | list | tuple):
        raise DataError(f"the prompt is a {type(prompt).__name__}; expected text, or a list of texts")
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    begun = [read_prompt(task, text) for text in prompts]
    if how.beam or how.candidates:
        found = _searched(task, network, begun, how)
        answers = found if how.candidates else [texts[0][0] for texts in found]
    else:
        pen = Pen(task, network)
        answers = [_drawn(task, pen, units, how) for units in begun]
    return answers[0] if isinstance(prompt, str) else answers


def read_prompt(task: Any, text: str) -> list[int]:
    """A prompt as units; DataError for one with characters that the model has never seen."""
    if not isinstance(text, str):
        raise DataError(f"the prompt is a {type(text).__name__}; expected text")
    unknown = task.codec.unknown(text)
    if unknown and task.codec.units == "characters":
        shown = ", ".join(map(repr, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        raise DataError(
            f"the prompt has characters that the training text has not: {shown}; leave them out, or train on text that has them"
        )
    return task.codec.encode(text).tolist()


def _drawn(task: Any, pen: Pen, begun: list[int], how: Writing) -> str:
    """Units drawn one by one."""
    rng = np.random.default_rng(how.seed)
    pen.restart()
    for unit in begun:
        pen.push(unit)
    units: list[int] = []
    longest = max((len(s) for s in how.stop), default=0)
    for _ in range(how.length):
        logarithms = _possible(task, pen.logarithms())
        unit = draw(
            probabilities(logarithms, how, [*begun[-64:], *units[-64:]] if how.repetition_penalty != 1 else ()), rng
        )
        if unit == END:
            break
        units.append(unit)
        if longest and any(s in task.codec.decode(units[-longest - 1 :]) for s in how.stop):
            break
        pen.push(unit)
    return stopped(task.codec.going_on(begun, units), how.stop)


def _possible(task: Any, logarithms: np.ndarray) -> np.ndarray:
    """Without units that stand for no text: the unknown one, and the end where documents have none."""
    logarithms = logarithms.copy()
    logarithms[UNKNOWN] = -np.inf
    if not task.counts[END]:
        logarithms[END] = -np.inf
    return logarithms


def stopped(text: str, stop: Sequence[str]) -> str:
    """The text before the first of the stops."""
    places = [place for s in stop if (place := text.find(s)) >= 0]
    return text[: min(places)] if places else text


def _searched(task: Any, network: LanguageModel, begun: list[list[int]], how: Writing) -> list[list[tuple[str, float]]]:
    """The most probable texts as wholes, with their probabilities."""
    network.eval()
    width = max(how.beam or 1, how.candidates or 1)
    closed = torch.zeros(task.codec.size)
    closed[[UNKNOWN] if task.counts[END] else [UNKNOWN, END]] = -torch.inf

    def step(units: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        states, before = state
        logarithms, states = network.step(units, states)
        if task.beside.counts is not None:
            nodes = task.beside.counts.after(before.numpy(), units.numpy())
            logarithms = torch.from_numpy(task.beside.logarithms(logarithms.numpy(), nodes))
            before = torch.from_numpy(nodes)
        return logarithms + closed, (states, before)

    answers = []
    for units in begun:  # prompts differ in length, and a search asks for `width` rows of each anyway
        states, last = _after(task, network, units)
        found = beam(
            step, states, torch.tensor([last]), end=END, length=how.length, width=width, penalty=0.0, block=how.block
        )[0]
        answers.append(_merged([_text(task, units, candidate, how) for candidate in found[: how.candidates or 1]]))
    return answers


def _merged(texts: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Every text once, with the sum of its probabilities: those cut at a stop may be equal then. The most probable first."""
    found: dict[str, float] = {}
    for text, probability in texts:
        found[text] = found.get(text, 0.0) + probability
    return sorted(found.items(), key=lambda pair: -pair[1])


@torch.no_grad()
def _after(task: Any, network: LanguageModel, units: list[int]) -> tuple[Any, int]:
    """The states before the last unit of what was begun, and that unit."""
    every = [task.opening, *units]
    states, before = _beginning(task, network)
    if len(every) > 1:
        _, states = network(torch.tensor([every[:-1]]), states)
    if task.beside.counts is not None:
        for unit in every[:-1]:
            before = task.beside.counts.after(before, np.array([unit]))
    return (states, torch.from_numpy(before)), every[-1]


def _beginning(task: Any, network: LanguageModel) -> tuple[Any, np.ndarray]:
    """The states of the network before a text, and what came last for the counts: nothing."""
    counts = task.beside.counts
    return network.initial_state(1), np.zeros((1, 1), np.int64) if counts is None else counts.begin(1)


def _text(task: Any, begun: list[int], candidate: Candidate, how: Writing) -> tuple[str, float]:
    return stopped(task.codec.going_on(begun, candidate.tokens), how.stop), float(np.exp(candidate.log_probability))


class _Part(NamedTuple):
    """What is known of a text: its last word, which the next part may make longer, with the states before it and after it."""

    word: str
    before: Any
    after: Any


class TextStream:
    """Texts that arrive part by part, told apart by `id`: how surprising each part was, and what may come next.

    Where units are more than characters, a part may make the last word longer; that word is then judged anew, as a part of it.
    """

    def __init__(self, task: Any, network: Any) -> None:
        self.task, self.pen = task, Pen(task, network)
        self._begin = self._state()
        self._texts: dict[Any, _Part] = {}

    def _state(self) -> Any:
        return self.pen.state, self.pen.h.clone()

    def push(self, row: Mapping[str, Any] | str) -> dict[str, Any]:
        """The surprise of one more part of a text in nats, unit by unit and per character, and the likeliest next units."""
        row = {"text": row} if isinstance(row, str) else row
        text = row.get("text")
        if not isinstance(text, str):
            raise DataError(f"the row has text {text!r}; expected an object with the field 'text'")
        key = known_by(row.get("id"), "id")
        if key not in self._texts and len(self._texts) >= MOST_TEXTS:
            raise DataError(
                f"got a text with the new id {key!r}; expected at most {MOST_TEXTS:,} texts at once: begin another stream"
            )
        held = self._texts.get(key, _Part("", self._begin, self._begin))
        text = held.word + text
        units = self.task.codec.encode(text).tolist()
        word, stays = self._last_word(text, units)
        self.pen.state, self.pen.h = held.before
        nats, before = [], held.before
        for number, unit in enumerate(units):
            before = self._state() if number == stays else before
            nats.append(-float(self.pen.logarithms()[unit]))
            self.pen.push(unit)
        after = self._state()
        before = after if stays == len(units) else before
        self._texts[key] = _Part(word, before if word else after, after)
        answer = {} if key is None else {"id": key}
        characters = len(self.task.codec.clean(text))
        answer |= {"nats": nats, "nats_per_character": sum(nats) / characters if characters else None}
        return answer | {"next": self._next()}

    def _last_word(self, text: str, units: list[int]) -> tuple[str, int]:
        """The last word of a text, which may go on, and how many units stand before it whatever comes."""
        if self.task.codec.units == "characters":
            return "", len(units)
        tail = text[-LONGEST_WORD:]
        found = _LAST_WORD.search(tail)
        whole = found is not None and (found.start() > 0 or len(tail) == len(text))
        start = len(text) - len(tail) + found.start() if found is not None and whole else len(text) - 1
        head = self.task.codec.encode(text[: max(start, 0)]).tolist()
        apart = units[: len(head)] == head  # of units that reach over words, all may change
        return (text[start:], len(head)) if text and apart else (text, 0)

    def _next(self) -> list[dict[str, Any]]:
        p = np.exp(self.pen.logarithms())
        best = np.argsort(-p, kind="stable")[:NAMED]
        return [{"text": self.task.codec.name(int(unit)), "probability": float(p[unit])} for unit in best]
