"""Say what to write instead of an expression that does not parse.

A Frontend's file has two languages: ClassAd expressions for HTCondor and Python in match_expr. Most mistakes are an
operator of the other language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# quoted text, whose contents are no operators
TEXT = re.compile(r'"[^"]*"|\'[^\']*\'')
Slips = Sequence[tuple[re.Pattern[str], str]]
EITHER: Slips = (
    (re.compile(r"[\u201c\u201d\u201e\u2018\u2019]"), 'write text in straight quotes: "text"'),
    (re.compile(r"[\u2264\u2265\u2260]"), "write <=, >= or !="),
    (re.compile(r"=<|(?<!=)=>"), "write <= or >="),
    (re.compile(r"[=!<>] ="), "write the operator without a blank in it"),
)
CLASSAD: Slips = (
    *EITHER,
    (re.compile(r"\b(and|or|not)\b", re.IGNORECASE), "write &&, || and ! in a ClassAd expression"),
    (re.compile(r"(?<![=!<>?])=(?![=?!])"), "write == to compare"),
)
PYTHON: Slips = (
    *EITHER,
    (re.compile(r"&&|\|\||!(?!=)"), "write and, or and not in a Python expression"),
    (re.compile(r"\b(AND|OR|NOT)\b"), "write and, or and not in small letters"),
    (re.compile(r"=\?=|=!="), "write == or != in a Python expression"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "write == to compare"),
)


def for_classad(text: str) -> str:
    """Return a hint for a ClassAd expression that does not parse, or an empty string."""
    return _hint(text, CLASSAD)


def for_python(text: str) -> str:
    """Return a hint for a match expression that does not parse, or an empty string."""
    return _hint(text, PYTHON)


def _hint(text: str, slips: Slips) -> str:
    bare = TEXT.sub('""', text)
    hints = [hint for pattern, hint in slips if pattern.search(bare)]
    if not hints and ('"' in bare.replace('""', "") or "'" in bare):
        return "a quotation mark is missing"
    return hints[0] if hints else ""
