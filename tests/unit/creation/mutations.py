"""Random mistakes in real-looking configuration files, and whether the loader names them.

A mistake is a change of the text of a file that a person makes while editing. Run as a program it measures more of
them and prints those that are not named: `python -m tests.unit.creation.mutations SEED NUMBER`.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from glideinwms.creation.build.resolved import named
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import InvalidConfig, Problem, Problems
from tests.support.configs import DATA, place

SIDES = ("factory", "frontend")
ATTRIBUTE = re.compile(r"""([\w]+)=("[^"]*"|'[^']*')""")
TAG = re.compile(r"</?(\w+)")
PLAIN = re.compile(r"[A-Za-z_]\w*")
# attributes whose value is free text that no program can judge: names of sites, paths, hosts are
# tried elsewhere
FREE = frozenset(
    """
    DN absfname keyabsfname base_dir base_log_dir base_client_log_dir base_client_proxies_dir web_base_url username
    dir absdir_outattr comment factory_name glidein_name frontend_name name remote_username extension group rsl
    bosco_dir security_name identity node fullname my_identity factory_identity proxy_url max_days max_mbytes
    gatekeeper version cond_attr classad_proxy proxy_DN
""".split()
)
EXPRESSIONS = ("match_expr", "start_expr", "query_expr")
WRONG_UNITS = ("h", "GB", " MB", "s", "k")


@dataclass(frozen=True, slots=True)
class Mistake:
    """The changed text, its line (or lines), what was done, and a word that the message should
    have.
    """

    text: str
    lines: frozenset[int]
    kind: str
    what: str
    words: tuple[str, ...]


Maker = Callable[[str, random.Random], "Mistake | None"]


def line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def slipped(word: str, rng: random.Random) -> str:
    """A word with one letter left out, doubled, exchanged or other."""
    at = rng.randrange(1, max(2, len(word) - 1))
    way = rng.randrange(4)
    if way == 0 and len(word) > 3:
        return word[:at] + word[at + 1 :]
    if way == 1:
        return word[:at] + word[at - 1] + word[at:]
    if way == 2 and len(word) > at + 1 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + rng.choice("aeinrstx") + word[at + 1 :]


def made(text: str, start: int, end: int, new: str, kind: str, *words: str) -> Mistake | None:
    old = text[start:end]
    if old == new:
        return None
    lines = frozenset(range(line_of(text, start), line_of(text, end) + 1))
    return Mistake(
        text[:start] + new + text[end:], lines, kind, f"{old!r} -> {new!r}", (*words, old, new)
    )


def pick(rng: random.Random, found: Iterable[re.Match[str]]) -> re.Match[str] | None:
    rows = list(found)
    return rng.choice(rows) if rows else None


def attributes(text: str, wanted: Callable[[str, str], bool]) -> list[re.Match[str]]:
    return [m for m in ATTRIBUTE.finditer(text) if wanted(m[1], m[2][1:-1])]


def attribute_name(text: str, rng: random.Random) -> Mistake | None:
    found = pick(rng, attributes(text, lambda name, value: len(name) > 2))
    return found and made(
        text, found.start(1), found.end(1), slipped(found[1], rng), "attribute name", found[1]
    )


def attribute_case(text: str, rng: random.Random) -> Mistake | None:
    found = pick(rng, attributes(text, lambda name, value: True))
    return found and made(
        text, found.start(1), found.end(1), found[1].capitalize(), "case", found[1]
    )


def tag_name(text: str, rng: random.Random) -> Mistake | None:
    found = pick(rng, TAG.finditer(text))
    return found and made(
        text, found.start(1), found.end(1), slipped(found[1], rng), "tag name", found[1]
    )


def both_tags(text: str, rng: random.Random) -> Mistake | None:
    """A misspelt element, in its start and its end tag."""
    found = pick(rng, re.finditer(r"<(\w+)>", text))
    if found is None or (end := text.find(f"</{found[1]}>", found.end())) < 0:
        return None
    new = slipped(found[1], rng)
    changed = text[:end] + f"</{new}>" + text[end + len(found[1]) + 3 :]
    return made(changed, found.start(1), found.end(1), new, "element name", found[1])


def missing_tag(text: str, rng: random.Random) -> Mistake | None:
    found = pick(rng, re.finditer(r"[ \t]*</?\w+>\n", text))
    if found is None:
        return None
    mistake = made(text, found.start(), found.end(), "\n", "missing tag")
    tag = found[0].strip(" \n</>")
    # the open tag, wherever it is, is as good a place
    where = {line_of(text, m.start()) for m in re.finditer(rf"</?{tag}\b", text)}
    return mistake and Mistake(
        mistake.text, mistake.lines | where, mistake.kind, mistake.what, (tag,)
    )


def missing_container(text: str, rng: random.Random) -> Mistake | None:
    """The children of an element without it."""
    found = pick(rng, re.finditer(r"<(\w+)>\n((?:(?!</?\1>).)*)</\1>", text, re.DOTALL))
    if found is None:
        return None
    new = "\n" + found[2]
    mistake = made(text, found.start(), found.end(), new, "missing container", found[1])
    return mistake and Mistake(
        mistake.text,
        mistake.lines,
        mistake.kind,
        f"without <{found[1]}>",
        (found[1], *TAG.findall(found[2])),
    )


def boolean(text: str, rng: random.Random) -> Mistake | None:
    found = pick(rng, attributes(text, lambda name, value: value in ("True", "False")))
    if found is None:
        return None
    new = rng.choice((slipped(found[2][1:-1], rng), "maybe", "2", "Ture"))
    return made(text, found.start(2) + 1, found.end(2) - 1, new, "boolean", found[1])


def number(text: str, rng: random.Random) -> Mistake | None:
    found = pick(rng, attributes(text, lambda name, value: bool(re.fullmatch(r"[\d.]+", value))))
    if found is None:
        return None
    value = found[2][1:-1]
    new = rng.choice(
        (
            value + rng.choice(WRONG_UNITS),
            "-" + value,
            value.replace("0", "O", 1),
            "many",
            f"{value},5",
        )
    )
    return made(text, found.start(2) + 1, found.end(2) - 1, new, "number", found[1])


def value(text: str, rng: random.Random) -> Mistake | None:
    """A slip in a value of which something is known."""
    known = attributes(
        text, lambda n, v: n not in FREE and n not in EXPRESSIONS and bool(PLAIN.fullmatch(v))
    )
    inside = {m.start(): m for m in known}
    # of values of attrs, only those that are no names of the operator's own
    for start, match in list(inside.items()):
        line = text[text.rfind("\n", 0, start) : start]
        if match[1] == "value" and re.search(
            r'name="(GLIDEIN_(CMS)?Site|GLIDEIN_ResourceName|GLIDEIN_Supported)', line
        ):
            del inside[start]
    found = pick(rng, inside.values())
    return found and made(
        text, found.start(2) + 1, found.end(2) - 1, slipped(found[2][1:-1], rng), "value", found[1]
    )


def name_of_attr(text: str, rng: random.Random) -> Mistake | None:
    found = pick(rng, re.finditer(r'<(?:attr|match_attr|submit_attr) name="(\w{5,})"', text))
    return found and made(
        text, found.start(1), found.end(1), slipped(found[1], rng), "name of an attr", found[1]
    )


def reference(text: str, rng: random.Random) -> Mistake | None:
    """The name of what is declared elsewhere."""
    pattern = r'<(?:allow_frontend|per_frontend) name="(\w+)|security_class="(\w{5,})"|\["(\w{5,})"\]|get\("(\w{5,})"'
    found = pick(rng, re.finditer(pattern, text))
    if found is None or found.lastindex is None:
        return None
    start, end = found.span(found.lastindex)
    return made(text, start, end, slipped(text[start:end], rng), "reference", text[start:end])


def host(text: str, rng: random.Random) -> Mistake | None:
    """An address with a stray character, a wrong separator or a wrong port."""
    wanted = (
        "gatekeeper",
        "node",
        "fullname",
        "factory_collector",
        "schedd_name",
        "my_identity",
        "identity",
        "factory_identity",
        "proxy_url",
        "web_base_url",
    )
    found = pick(rng, attributes(text, lambda name, value: name in wanted))
    if found is None:
        return None
    old = found[2][1:-1]
    changes = [
        old.replace(".", ",", 1),
        old.replace(".", "..", 1),
        "https://" + old,
        old + ";",
        old.replace(":", ";", 1),
        re.sub(r":(\d)", r":\1x", old, count=1),
        old.replace("@", " ", 1),
        old.replace(":9618", ":96181"),
        old.replace("http://", "http:/"),
        old.replace("@", "", 1),
        old.replace("example", "exmaple", 1),
    ]
    new = rng.choice([c for c in changes if c != old])
    return made(text, found.start(2) + 1, found.end(2) - 1, new, "address", found[1])


def separator(text: str, rng: random.Random) -> Mistake | None:
    lists = attributes(
        text, lambda name, value: name not in EXPRESSIONS and bool(re.search(r"\w,\w", value))
    )
    found = pick(rng, lists)
    if found is None:
        return None
    new = found[2][1:-1].replace(",", rng.choice(";:|"), 1)
    return made(text, found.start(2) + 1, found.end(2) - 1, new, "separator", found[1])


def expression(text: str, rng: random.Random) -> Mistake | None:
    """An expression without a bracket or operator, with an unknown function, or with quotes of
    another kind.
    """
    found = pick(rng, attributes(text, lambda name, value: name in EXPRESSIONS))
    if found is None:
        return None
    old = found[2][1:-1]
    changes = [
        old.replace(")", "", 1),
        old.replace("(", "", 1),
        old.replace("==", "=", 1),
        old.replace('"', "", 1),
        old.replace(" &amp;&amp; ", " ", 1),
        old.replace(" and ", " && ".replace("&", "&amp;"), 1),
        re.sub(r"\b([a-z]\w{5,})\(", lambda m: slipped(m[1], rng) + "(", old, count=1),
        old + ")",
        re.sub(r'"(\w+)"', "&apos;\\1&apos;", old, count=1) if found[1] != "match_expr" else old,
        old.replace(' ["', '["').replace('["attrs"]', "", 1),
        re.sub(r"int\(", "inet(", old),
    ]
    rows = [c for c in changes if c != old]
    return (
        made(text, found.start(2) + 1, found.end(2) - 1, rng.choice(rows), "expression", found[1])
        if rows
        else None
    )


def quote(text: str, rng: random.Random) -> Mistake | None:
    """One quote of an attribute is missing, or is doubled."""
    found = pick(rng, attributes(text, lambda name, value: True))
    if found is None:
        return None
    at = rng.choice((found.start(2), found.end(2) - 1))
    new = rng.choice(("", text[at] * 2))
    mistake = made(text, at, at + 1, new, "quote")
    return mistake and Mistake(
        mistake.text, mistake.lines, "quote", f"{found[0]}: {mistake.what}", ()
    )


def stray(text: str, rng: random.Random) -> Mistake | None:
    """A character or word between or inside tags."""
    found = pick(rng, re.finditer(r"/?>\n", text))
    if found is None:
        return None
    new = rng.choice((">>\n", "> -->\n", "> x\n", ">' \n", "<>\n", "> <\n", ">&\n"))
    return made(text, found.start() + len(found[0]) - 2, found.end(), new, "stray character")


def duplicate(text: str, rng: random.Random) -> Mistake | None:
    """An element that is there twice."""
    pattern = r"[ \t]*<(attr|match_attr|file|entry|group|frontend|submit_attr|per_frontend|security_class|condor_tarball)\s"  # noqa: E501
    found = pick(rng, re.finditer(pattern, text))
    if found is None:
        return None
    tag = found[1]
    end = re.compile(rf"<{tag}\s[^>]*/>\n|</{tag}>\n").search(text, found.start())
    if end is None:
        return None
    lines = range(
        line_of(text, found.start()),
        line_of(text, end.end()) * 2 - line_of(text, found.start()) + 1,
    )
    piece = text[found.start() : end.end()]
    return Mistake(
        text[: end.end()] + piece + text[end.end() :],
        frozenset(lines),
        "duplicate",
        f"<{tag}> twice",
        (tag,),
    )


def exchanged(text: str, rng: random.Random) -> Mistake | None:
    """The values of two attributes of an element."""
    pattern = r'(idle|held|curb|max|name|gatekeeper|node|base_dir|trust_domain|min)="([^"]*)" (?:\w+="[^"]*" )??'
    pattern += r'(glideins|value|max|enabled|min|factory_identity|web_base_url|type|gridtype|identity|idle)="([^"]*)"'
    found = pick(rng, re.finditer(pattern, text))
    if found is None:
        return None
    new = (
        text[found.start() : found.start(2)]
        + found[4]
        + text[found.end(2) : found.start(4)]
        + found[2]
        + '"'
    )
    return made(text, found.start(), found.end(), new, "exchanged values", found[1], found[3])


def required(text: str, rng: random.Random) -> Mistake | None:
    """An attribute is missing that has no default."""
    pattern = r' (name|gatekeeper|absfname|value|username|identity|node|fullname|factory_name|tar_file|my_identity)="[^"]*"'  # noqa: E501
    found = pick(rng, re.finditer(pattern, text))
    return found and made(text, found.start(), found.end(), "", "left out", found[1])


def comment(text: str, rng: random.Random) -> Mistake | None:
    """A comment whose end is forgotten or misspelt."""
    found = pick(rng, re.finditer(r"\n[ \t]*<\w", text))
    new = rng.choice(("\n<!-- off ->", "\n<!-- off", "\n<! off -->", "\n<!- off -->"))
    return found and made(text, found.start(), found.start() + 1, new + "\n", "comment")


MAKERS: tuple[Maker, ...] = (
    attribute_name,
    attribute_case,
    tag_name,
    both_tags,
    missing_tag,
    missing_container,
    boolean,
    number,
    value,
    name_of_attr,
    reference,
    host,
    separator,
    expression,
    quote,
    stray,
    duplicate,
    exchanged,
    required,
    comment,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Named, elsewhere (another line), vague, silent, or harmless (the configuration means the
    same).
    """

    mistake: Mistake
    side: str
    verdict: str
    said: tuple[str, ...] = ()


def mistakes(seed: int, number_of: int) -> Iterator[tuple[str, Mistake]]:
    """So many mistakes, of each kind about as many."""
    rng = random.Random(seed)
    texts = {side: (DATA / f"{side}.real.xml").read_text() for side in SIDES}
    made_so_far = 0
    while made_so_far < number_of:
        side = rng.choice(SIDES)
        mistake = MAKERS[made_so_far % len(MAKERS)](texts[side], rng)
        if mistake is not None and mistake.text != texts[side]:
            made_so_far += 1
            yield side, mistake


class Judge:
    """Loads what is given, and says what was said of it."""

    def __init__(self, directory: Path) -> None:
        self.paths = {side: place(directory / side, f"{side}.real.xml") for side in SIDES}
        self.good = {side: self._load(side)[1] for side in SIDES}

    def _load(self, side: str) -> tuple[list[Problem], str]:
        problems = Problems()
        try:
            built, _ = named(build(self.paths[side], side, problems))
        except InvalidConfig as error:
            return [*error.problems, *problems.all_warnings], ""
        return problems.all_warnings, built.policy.generation

    def of(self, side: str, mistake: Mistake) -> Verdict:
        path = self.paths[side]
        path.write_text(mistake.text.replace("@DIR@", str(path.parent)))
        problems, generation = self._load(side)
        said = tuple(str(p) for p in problems)
        if not problems:
            return Verdict(mistake, side, "harmless" if generation == self.good[side] else "silent")
        if not any(p.where.line for p in problems):
            return Verdict(mistake, side, "vague", said)
        near = any(p.where.line in mistake.lines or _tells(p, mistake.lines) for p in problems)
        return Verdict(mistake, side, "named" if near else "elsewhere", said)


def _tells(problem: Problem, lines: Iterable[int]) -> bool:
    """Whether the message names the line, as that of a tag or of another element."""
    told = {int(n) for n in re.findall(r"(?:line |:)(\d+)\b", f"{problem.what} {problem.hint}")}
    return bool(told & set(lines))


def judged(seed: int, number_of: int) -> list[Verdict]:
    with tempfile.TemporaryDirectory() as directory:
        judge = Judge(Path(directory))
        return [judge.of(side, mistake) for side, mistake in mistakes(seed, number_of)]


def main() -> None:
    seed, number_of = int(sys.argv[1]), int(sys.argv[2])
    found = judged(seed, number_of)
    for one in found:
        if one.verdict not in ("named", "harmless"):
            lines = ",".join(map(str, sorted(one.mistake.lines)))
            print(f"{one.verdict:9} {one.mistake.kind:17} {one.side}:{lines}: {one.mistake.what}")
            for text in one.said[:2]:
                print(f"{'':28}{text[:220]}")
    print(dict(Counter(one.verdict for one in found)))
    print("silent:", dict(Counter(one.mistake.kind for one in found if one.verdict == "silent")))


if __name__ == "__main__":
    main()
