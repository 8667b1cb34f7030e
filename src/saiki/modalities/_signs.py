"""Signs that belong to the letter before them: vowel signs, accents written apart, joiners."""

from __future__ import annotations

import unicodedata

#: where such signs stand, in scripts that put spaces between words and in those that do not
_PLACES = (
    (0x0300, 0x1D00),
    (0x1DC0, 0x1E00),
    (0x200C, 0x200E),
    (0x20D0, 0x2100),
    (0xA800, 0xAC00),
    (0xFE20, 0xFE30),
    (0x11000, 0x12000),
)


def _ranges() -> str:
    """All of them, as what stands in the brackets of a regular expression."""
    found: list[list[int]] = []
    for low, high in _PLACES:
        for code in range(low, high):
            if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me") or code in (0x200C, 0x200D):
                if found and found[-1][1] == code - 1:
                    found[-1][1] = code
                else:
                    found.append([code, code])
    return "".join(chr(low) if low == high else f"{chr(low)}-{chr(high)}" for low, high in found)


COMBINING = _ranges()
