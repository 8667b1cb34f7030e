"""Text to words and back: words and marks, or what stands between spaces; scripts without spaces sign by sign."""

from __future__ import annotations

import re

from saiki.modalities._signs import COMBINING

#: letters of scripts that put no spaces between words: every one is a unit; katakana spells words, so a run is one
_SIGNS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KATAKANA = "\u30a0-\u30ff"
_LETTER = f"(?:(?![{_SIGNS}{_KATAKANA}])[\\w{COMBINING}])"
_WORD = f"{_LETTER}+(?:['’]{_LETTER}+)*"
#: line feeds are units of their own, further spaces too
_UNITS = re.compile(f" ?<{_LETTER}+>| ?{_WORD}| ?[{_KATAKANA}]+| ?[{_SIGNS}]| ?[^\\w\\s]|\\n|\\s")
_BETWEEN_SPACES = re.compile(r"\n|[^\s]+")
#: a sentence and what ends it: marks with what closes them, before a space or the end; marks of East Asia anywhere; line feeds
_SENTENCE = re.compile(r"[^\n]*?(?:[.!?]+[\"'”’»)\]]*(?=\s|\Z)|[。！？]+[」』”’）]*|\n+|\Z)")
_MARKS = re.compile(r"(\s?)[.,;:!?。、！？](?=\s|$)")
#: those that never belong to a word, as full stops do to abbreviations
_APART = re.compile(r"(\s?)[,;:!?。、！？](?=\s|$)")
#: endings that English glues to words: its, isn't, they've
_ENDINGS = re.compile(r"(\s?)(?:n['’]t|['’](?:s|re|ve|ll|d|m))(?=\s|$)")
#: so many marks or endings, and this share of them after a space, make a text that is cut already
_ENOUGH, _NEARLY_ALL = 10, 0.95


def words(text: str, split: bool, spaces: bool) -> list[str]:
    """The units of a text.

    split   the text has spaces around words and marks already: a unit is what stands between them
    spaces  a unit keeps the space in front of it, so that the text can be put together again
    """
    if split:
        return _BETWEEN_SPACES.findall(text)
    found = _UNITS.findall(text)
    return found if spaces else [unit.strip(" ") for unit in found if not unit.isspace()]


def sentences(text: str) -> list[str]:
    """The sentences of a text, which together are the text: they end at . ! ? 。！？ or a line feed."""
    found: list[str] = []
    for part in _SENTENCE.findall(text):
        if found and not (part.strip() and found[-1].strip()):  # space alone is no sentence
            found[-1] += part
        elif part:
            found.append(part)
    return found


def joined(units: list[str], split: bool, spaces: bool) -> str:
    """The text of units."""
    if spaces and not split:
        return "".join(units)
    return re.sub(r" ?\n ?", "\n", " ".join(units))


def is_split(text: str) -> bool:
    """Whether nearly all marks of a text have a space in front of them, as tokenised texts have.

    Or nearly all endings ('s, n't), where full stops stand at words and other marks, if any, do not contradict.
    """
    marks, apart, endings = (pattern.findall(text) for pattern in (_MARKS, _APART, _ENDINGS))
    return _spaced(marks, _ENOUGH) or (_spaced(endings, _ENOUGH) and _spaced(apart, 0))


def _spaced(found: list[str], fewest: int) -> bool:
    """Whether there are so many, and nearly all stand after a space."""
    return len(found) >= fewest and sum(space != "" for space in found) >= _NEARLY_ALL * len(found)


def without_spaces(text: str) -> bool:
    """Whether most letters belong to scripts without spaces, and the text has few."""
    signs = len(re.findall(f"[{_SIGNS}{_KATAKANA}]", text))
    return signs > 0.5 * sum(c.isalpha() for c in text) and text.count(" ") < 0.1 * signs
