"""Match expressions in the ClassAd language: MY is the job, TARGET the entry's attributes.

They are evaluated by HTCondor's bindings, in the daemon. Users write the job's values, so only functions are allowed
whose cost is bounded by the size of their arguments, and whose result depends on nothing else. Regular expressions are
refused: the bindings use PCRE, which a user's text can keep busy for hours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from glideinwms.frontend.decide.match.expression import Conjunct, ExpressionReads
from glideinwms.frontend.policy import Expression
from glideinwms.lib.errors import ConfigError

# the functions of the ClassAd language itself; those that HTCondor adds are not known to the
# bindings alone
FUNCTIONS = frozenset(
    """
    allcompare anycompare avg bool ceiling floor identicalmember ifthenelse int isboolean iserror isinteger islist
    isreal isstring isundefined join max member min pow quantize real round size strcat strcmp stricmp string substr
    sum tolower toupper versioncmp versioneq versionge versiongt versionle versionlt
    """.split()
)
# texts and quoted names, in which a name before a parenthesis is no function
OPERATORS = frozenset({"is", "isnt"})
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)
CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
REGEX_HINT = "write the expression in Python, where re.match and re.search take a bounded time"


def classad_conjunct(expression: Expression) -> Conjunct:
    """Compile a ClassAd expression, which must be true. A ConfigError says what is wrong with it."""
    import classad2

    try:
        tree = classad2.ExprTree(expression.text)
    except classad2.ClassAdException as error:
        raise ConfigError(
            f"is not a ClassAd expression: {error}", where=expression.origin
        ) from error
    check_functions(str(tree), expression.origin)

    def test(
        job: Mapping[str, Any], glidein: Mapping[str, Any], attr_dict: Mapping[str, Any]
    ) -> bool:
        result: Any = tree.eval(
            classad2.ClassAd(dict(job)), classad2.ClassAd(dict(glidein["attrs"]))
        )
        return result is True

    return Conjunct(expression.text, expression.origin, ExpressionReads(None, None), test)


def check_functions(text: str, origin: str) -> None:
    """Raise a ConfigError if an expression, as the bindings print it, calls a function that is not
    allowed.
    """
    for name in CALL.findall(QUOTED.sub(" ", text)):
        if name.lower() in FUNCTIONS | OPERATORS:
            continue
        about_patterns = "regex" in name.lower() or name.lower() == "replace"
        raise ConfigError(
            f"the function {name} is not allowed in a ClassAd match expression",
            where=origin,
            hint=REGEX_HINT
            if about_patterns
            else f"the functions are {', '.join(sorted(FUNCTIONS))}",
        )
