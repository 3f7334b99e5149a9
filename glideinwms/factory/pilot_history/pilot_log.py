"""What a finished pilot wrote: marked lines on stdout, packed logs and the XML result (contract
1.12, protocol 6.7).

All of it comes from a worker node: it is data, of bounded size when unpacked, and may end anywhere.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.lib.bounded import reason
from glideinwms.lib.errors import StateError

TAIL = 262_144
MOST = 64 * 1024 * 1024
STATS = ("Total", "goodZ", "goodNZ", "badSignal", "badOther")
MAX_SECTIONS = 200
# Every pattern takes time in proportion to the text: no part of one can begin again at each
# character of another.
_VALIDATED = re.compile(
    r"^=== Last script starting .* after validating for (\d{1,9}) ===", re.MULTILINE
)
_STARTED = re.compile(r"^=== Condor starting .* ===", re.MULTILINE)
_CONDOR = re.compile(r"^=== Condor ended .* after (\d{1,9}) ===", re.MULTILINE)
_ENDING = re.compile(
    r"^=== Glidein ending .* with code (-?\d{1,9}) after (\d{1,9}) ===", re.MULTILINE
)
_CLAIMS = re.compile(r"^Total number of activations/claims: (\d{1,9})\b", re.MULTILINE)
_BLOCK_MARK = re.compile(r"^=== (End )?Stats of (\S{1,100}) ===", re.MULTILINE)
_STAT = re.compile(
    r"^(\(Real\) |\(Normalized\) )?Total (?:(goodZ|goodNZ|badSignal|badOther) )?jobs (\d{1,9}) .*?"
    r"utilization (\d{1,9})\b",
    re.MULTILINE,
)
_PACKED = re.compile(
    r"^(?P<name>\S{1,200})\n=+ gzip \| uuencode =+\nbegin-base64 \d{1,9} -\n(?P<data>[A-Za-z0-9+/=\n]*?)\n====$",
    re.MULTILINE,
)
_XML_PACKED = re.compile(
    r"^=== Encoded XML description of glidein activity ===\nbegin-base64 \d{1,9} -\n([A-Za-z0-9+/=\n]*?)\n====\n"
    r"=== End encoded XML description of glidein activity ===",
    re.MULTILINE,
)
_XML_BEGIN = "=== XML description of glidein activity ===\n"
_XML_END = "=== End XML description of glidein activity ==="
_TEST = re.compile(r'<metric name="TestID"[^<>]{0,200}>([^<]{1,200})</metric>')
_IDLE_END = re.compile(r'<metric name="AutoShutdown"[^<>]{0,200}>True</metric>')
_ADDRESS = re.compile(r"<[^<>]{1,300}>")
_FAILURE = re.compile(r'<metric name="failure"[^<>]{0,200}>([^<]{1,100})</metric>')


@dataclass(frozen=True, slots=True)
class PilotFacts:
    """What stdout says. Durations in seconds, None: not said. `stats`: kind of job -> (jobs,
    seconds), normalised to one core where the pilot says so. `script`, `failure` and `detail`: the
    failing test, its category and its words, or "". `idle_end`: HTCondor ended by itself, without
    an error.
    """

    validation: int | None = None
    condor_started: bool = False
    condor: int | None = None
    lifetime: int | None = None
    code: int | None = None
    claims: int | None = None
    stats: dict[str, tuple[int, int]] = field(default_factory=dict)
    script: str = ""
    failure: str = ""
    detail: str = ""
    idle_end: bool = False

    def seconds(self, kind: str) -> int:
        """Seconds spent on a kind of job."""
        return self.stats.get(kind, (0, 0))[1]

    @property
    def jobs(self) -> int:
        """User jobs that were run."""
        return self.stats.get("Total", (0, 0))[0]


def facts(stdout: str) -> PilotFacts:
    """Read the marked lines; the first of each counts, as for the deployed parser."""
    ending = _ENDING.search(stdout)
    code = int(ending[1]) if ending else None
    script, failure, detail = _cause(stdout) if code else ("", "", "")
    idle_end = code == 0 and _IDLE_END.search(_plain_xml(stdout)) is not None
    return PilotFacts(
        validation=_first(_VALIDATED, stdout),
        condor_started=_STARTED.search(stdout) is not None,
        condor=_first(_CONDOR, stdout),
        lifetime=int(ending[2]) if ending else None,
        code=code,
        claims=_first(_CLAIMS, stdout),
        stats=_stats(stdout),
        script=script,
        failure=failure,
        detail=detail,
        idle_end=idle_end,
    )


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None


def _cause(stdout: str) -> tuple[str, str, str]:
    plain = _plain_xml(stdout)
    test, failure = _TEST.search(plain), _FAILURE.search(plain)
    return reason(test[1]) if test else "", reason(failure[1]) if failure else "", _detail(plain)


def _detail(plain: str) -> str:
    """The first line of the failing test's own words; addresses differ from pilot to pilot and are
    left out.
    """
    begin = plain.find("<detail>") + len("<detail>")
    if begin < len("<detail>"):
        return ""
    lines = [
        line.strip() for line in plain[begin : begin + 4000].partition("</detail>")[0].splitlines()
    ]
    words = [line for line in lines if line and not line.startswith("Validation failed in ")]
    return reason(_ADDRESS.sub("<...>", html.unescape(words[0])))[:300] if words else ""


def _plain_xml(text: str) -> str:
    """The XML result that is written as it is; "" if there is none."""
    begin = 0 if text.startswith(_XML_BEGIN) else text.find("\n" + _XML_BEGIN) + 1
    if not begin and not text.startswith(_XML_BEGIN):
        return ""
    begin += len(_XML_BEGIN)
    end = text.find("\n" + _XML_END, begin - 1)
    return text[begin : end + 1] if end >= 0 else ""


def _stats(stdout: str) -> dict[str, tuple[int, int]]:
    """The block of the main startd; of older pilots the last one that is not of a monitoring slot
    (name ending in 1). Normalised lines win over real ones, so that all of them are of one kind.
    """
    begins: dict[str, int] = {}
    blocks: dict[str, tuple[int, int]] = {}
    for mark in _BLOCK_MARK.finditer(stdout):
        name = mark[2]
        if not mark[1]:
            begins.setdefault(name, mark.end())
        elif name in begins and (name == "main" or not name.endswith("1")):
            blocks[name] = (begins.pop(name), mark.start())
    if not blocks:
        return {}
    begin, end = blocks.get("main") or list(blocks.values())[-1]
    found: dict[str, tuple[int, int]] = {}
    for kind, name, jobs, seconds in _STAT.findall(stdout[begin:end]):
        if kind != "(Real) " or (name or "Total") not in found:
            found[name or "Total"] = (int(jobs), int(seconds))
    return found


def sections(stderr: str) -> dict[str, str]:
    """The packed logs by name (MasterLog, StartdLog, StarterLog.slot1, ...), unpacked, in their
    order; of a repeated name the first. A damaged one is its readable beginning. At most
    MAX_SECTIONS, and MOST bytes of all together.
    """
    found: dict[str, str] = {}
    room = MOST
    for match in _PACKED.finditer(stderr):
        if match["name"] in found:
            continue
        if len(found) == MAX_SECTIONS or room <= 0:
            break
        unpacked = _unpack(match["data"], room)
        room -= len(unpacked)
        found[match["name"]] = unpacked.decode(errors="replace")
    return found


def xml_result(text: str) -> str:
    """The XML result out of stderr (packed) or stdout (plain, shorter); "" if there is none."""
    packed = _XML_PACKED.search(text)
    return _unpack(packed[1], MOST).decode(errors="replace") if packed else _plain_xml(text)


def _unpack(data: str, most: int) -> bytes:
    """What is packed, at most so many bytes of it."""
    try:
        raw = base64.b64decode(data)
        return zlib.decompressobj(wbits=31).decompress(raw, most)
    except (binascii.Error, zlib.error):
        return b""


def tail(path: Path, size: int = TAIL) -> str | None:
    """The last `size` bytes of a file as text, None if there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}", where=str(path)) from error
