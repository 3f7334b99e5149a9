"""Name the characters that nobody sees in a name, or takes for others."""

from __future__ import annotations

import unicodedata


def hint(text: str) -> str:
    """Return which character outside ASCII a name has first, or an empty string."""
    for character in text:
        if not character.isascii():
            name = unicodedata.name(character, "a character without a name")
            return f"it contains U+{ord(character):04X}, {name}"
    return ""
