"""Byte-pair units, by the library tokenizers: learned from text, or from a given tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saiki.errors import DataError


def _library() -> Any:
    import tokenizers

    return tokenizers


def learned(parts: Iterable[str], size: int) -> str:
    """A tokenizer of at most `size` units over bytes, as JSON; nothing is unknown to it.

    Source: Sennrich et al. 2016 (arXiv 1508.07909), over bytes.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(parts, trainer)
    return tokenizer.to_str()


def loaded(path: str | Path) -> str:
    """A tokenizer.json of the library; DataError for one that is none."""
    library = _library()
    try:
        return _whole(library.Tokenizer.from_file(str(path))).to_str()
    except Exception as error:  # the library raises plain Exception
        what = " ".join(str(error).split())[:160]
        raise DataError(
            f"{path}: not a tokenizer of the library tokenizers ({what}); expected a tokenizer.json"
        ) from error


def restored(text: str) -> Any:
    """The tokenizer of its JSON."""
    return _whole(_library().Tokenizer.from_str(text))


def unknown(text: str) -> int:
    """The number by which a tokenizer, given as JSON, says that it does not know a part of a text; -1 if it has none."""
    model, tokenizer = json.loads(text)["model"], restored(text)
    name = model.get("unk_token")
    number = tokenizer.token_to_id(name) if name else model.get("unk_id")
    return -1 if number is None else int(number)


def _whole(tokenizer: Any) -> Any:
    """The same, which neither cuts texts nor fills them up."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
