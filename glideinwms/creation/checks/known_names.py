"""Names that configurations use: attributes that pilots and Factories know, their values, functions of ClassAds.

The lists serve only to recognise slips. A name that is not here is the operator's own and nothing is said of it.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from glideinwms.lib.stage.formats import read_vars

SYSTEM_VARS = Path(__file__).parents[1] / "data" / "condor_vars.lst"
# config 4.1, and what sites commonly publish
ATTRS = frozenset(
    """
    GLIDEIN_Site GLIDEIN_ResourceName GLIDEIN_Supported_VOs GLIDEIN_Country GLIDEIN_CMSSite
    GLIDEIN_SupportedVOs GLIDEIN_ResourceGroup
    GLIDEIN_ESTIMATED_CPUS GLIDEIN_MaxMemMBs GLIDEIN_MaxMemMBs_Estimate GLIDEIN_DISK GLIDEIN_GPUS GLIDEIN_CVMFS
    GLIDEIN_OVERLOAD_ENABLED GLIDEIN_OVERLOAD_CPUS GLIDEIN_OVERLOAD_MEMORY GLIDEIN_Factory_Report_Failed
    GLIDEIN_LOG_RECIPIENTS_FACTORY CONDOR_VERSION CONDOR_OS CONDOR_ARCH USE_CCB PREEMPT GLIDEIN_DEBUG_OPTIONS
    MODULE_USE GLIDEIN_MULTIGLIDEIN GLIDEIN_MULTIGLIDEIN_LAUNCHER GLIDEIN_MULTIGLIDEIN_LAUNCHALL
    GLIDEIN_CLEANUP_SCRIPT GLIDEIN_CVMFS_REPOS VM_MAX_LIFETIME VM_DISABLE_SHUTDOWN MIN_DISK_GBS
    GLIDEIN_Ignore_X509_Duration GLIDEIN_Expose_X509 SLOTS_LAYOUT FORCE_PARTITIONABLE GLIDEIN_Report_Failed
    CONTINUE_IF_NO_PROXY CVMFS_MOUNT_DIR SINGULARITY_IMAGE_REQUIRED APPTAINER_TEST_IMAGE
    GWMS_SINGULARITY_BIND_CVMFS SINGULARITY_DISABLE_PID_NAMESPACES GLIDEIN_SINGULARITY_BINARY_OVERRIDE
    OSG_SINGULARITY_BINARY SINGULARITY_BIN APPTAINER_CACHEDIR SINGULARITY_CACHEDIR APPTAINER_TMPDIR
    SINGULARITY_TMPDIR GLIDEIN_CONTAINER_ENV GLIDEIN_CONTAINER_ENV_CLEARLIST SINGULARITY_IMAGE_DEFAULT
    SINGULARITY_IMAGE_DEFAULT6 SINGULARITY_IMAGE_DEFAULT7 GLIDEIN_USE_CVMFSEXEC CVMFS_SRC MONITOR_MODE
    STARTD_JOB_ATTRS ALL_DEBUG STARTD_DEBUG STARTER_DEBUG MASTER_DEBUG NETWORK_INTERFACE
    GLIDEIN_Start GLIDEIN_Hold CCB_HEARTBEAT_INTERVAL GLIDEIN_CPUS GLIDEIN_NODES
    GLIDEIN_In_Downtime PRIVATE_NETWORK_NAME UPDATE_INTERVAL MASTER_UPDATE_INTERVAL
""".split()
)
# of jobs: what match_attrs usually declare
JOB_ATTRS = frozenset(
    """
    RequestCpus RequestMemory RequestDisk RequestGPUs DESIRED_Sites UNDESIRED_Sites DESIRED_Gatekeepers
    REQUIRED_OS JobUniverse JobStatus Owner User AccountingGroup AcctGroup AcctGroupUser ProjectName MaxWallTimeMins
    MaxWallTime WantIOProxy SingularityImage ImageSize DiskUsage NumJobStarts QDate JobPrio x509userproxysubject
    x509UserProxyVOName x509UserProxyFirstFQAN DESIRED_usage_model ClusterId ProcId GlobalJobId
""".split()
)
NEEDED = ("REQUIRED", "PREFERRED", "OPTIONAL", "NEVER")
REPORTS = ("NEVER", "ALIVEONLY", "ALWAYS")
# attributes whose values are one of few words
VALUES: Mapping[str, tuple[str, ...]] = {
    "GLIDEIN_Report_Failed": REPORTS,
    "GLIDEIN_Factory_Report_Failed": REPORTS,
    "CVMFS_SRC": ("osg", "egi", "default"),
    "GLIDEIN_CVMFS": NEEDED,
    "SEC_DEFAULT_ENCRYPTION": NEEDED,
    "SEC_DEFAULT_INTEGRITY": NEEDED,
    "SEC_DEFAULT_AUTHENTICATION": NEEDED,
    "SLOTS_LAYOUT": ("fixed", "partitionable"),
}
# attributes whose values are lists of such words
WORDS: Mapping[str, tuple[str, ...]] = {
    "GLIDEIN_DEBUG_OPTIONS": ("userjob", "usertrace", "nowait", "nocleanup"),
    "GLIDEIN_CONTAINER_ENV": (
        "clearall",
        "condorset",
        "osgset",
        "gwmsset",
        "clear",
        "clearpaths",
        "keepall",
    ),
}
BOOLEANS = frozenset(
    """
    UPDATE_COLLECTOR_WITH_TCP WANT_UDP_COMMAND_SOCKET STARTD_SENDS_ALIVES USE_MATCH_AUTH USE_SHARED_PORT USE_CCB
    PUBLISH_OBITUARIES GLIDEIN_Monitoring_Enabled GLIDEIN_Expose_Grid_Env GLIDEIN_Expose_X509 CONTINUE_IF_NO_PROXY
    GLIDEIN_Ignore_X509_Duration SINGULARITY_IMAGE_REQUIRED VM_DISABLE_SHUTDOWN WANT_VACATE FORCE_PARTITIONABLE
    SINGULARITY_DISABLE_PID_NAMESPACES
""".split()
)
TRUTHS = frozenset({"true", "false", "yes", "no", "t", "f", "1", "0"})
LONG, SHORTEST = 12, 5
FUNCTIONS = frozenset(
    """
    isUndefined isError isString isInteger isReal isList isClassAd isBoolean isAbsTime isRelTime member
    identicalMember anyCompare allCompare sum avg min max sumFrom avgFrom minFrom maxFrom time currentTime
    timezoneOffset daytime makeDate makeAbsTime makeRelTime getYear getMonth getDayOfYear getDayOfMonth getDayOfWeek
    getDays getHours getMinutes getSeconds splitTime formatTime absTime relTime inDays inHours inMinutes inSeconds
    interval strcat join toUpper toLower substr strcmp stricmp regexp regexpMember regexps replace replaceall int
    real string bool floor ceil ceiling round random pow quantize ifThenElse eval unparse unresolved hasRefs size
    splitUserName splitSlotName split splitArb stringListMember stringListIMember stringListSubsetMatch
    stringListISubsetMatch stringListSize stringListSum stringListAvg stringListMin stringListMax
    stringListRegexpMember stringList_regexpMember stringListsIntersect evalInEachContext countMatches envV1ToV2
    mergeEnvironment listToArgs argsToList versionGT versionGE versionLT versionLE versionEQ versionCmp
    version_in_range userHome userMap debug return isEmpty unique isInList toSet
""".split()
)
CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")
# operators that may stand before a parenthesis
OPERATORS = frozenset({"is", "isnt", "in"})


@functools.cache
def attributes() -> frozenset[str]:
    """Names of attributes that pilots know."""
    return ATTRS | {v.name for v in read_vars(SYSTEM_VARS.read_text())}


def slip(name: str, known: Iterable[str], shortest: int = SHORTEST) -> str:
    """The known name of which this one is a slip, or "".

    A slip is one letter more, less, other or exchanged with the next; in long names two of these.
    """
    return _slip(name, frozenset(known)) if len(name) >= shortest else ""


@functools.lru_cache(maxsize=4096)
def _slip(name: str, known: frozenset[str]) -> str:
    if name in known:
        return ""
    lower = name.lower()
    table = _shortened(known)
    near = {word for form in (lower, *_deletions(lower)) for word in table.get(form, ())}
    found = sorted(word for word in near if one_edit(lower, word.lower()))
    if not found and len(name) >= LONG:
        twice = {
            w
            for once in _deletions(lower)
            for form in _deletions(once)
            for w in table.get(form, ())
        }
        found = sorted(word for word in twice if _two_edits(lower, word.lower()))
    return found[0] if found else ""


@functools.lru_cache(maxsize=32)
def _shortened(known: frozenset[str]) -> dict[str, list[str]]:
    """Each known name by its lower-case form and by each form that lacks one letter."""
    table: dict[str, list[str]] = {}
    for word in known:
        for form in {word.lower(), *_deletions(word.lower())}:
            table.setdefault(form, []).append(word)
    return table


def _deletions(word: str) -> Iterator[str]:
    return (word[:n] + word[n + 1 :] for n in range(len(word)))


def _digits(one: str, other: str) -> bool:
    """Numbered names, such as CE1 and CE2, are no slips of each other."""
    return re.sub(r"\d+", "0", one) == re.sub(r"\d+", "0", other) and one != other


def one_edit(one: str, other: str) -> bool:
    """At most one letter more, less or other, or two neighbours exchanged."""
    if _digits(one, other):
        return False
    if one == other:
        return True
    start = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    a, b = one[start:], other[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _two_edits(one: str, other: str) -> bool:
    """Within two edits, of which one takes a letter away."""
    longer = max(one, other, key=len)
    prefixed = longer.endswith(min(one, other, key=len)) and len(one) != len(other)
    return (
        not prefixed
        and not _digits(one, other)
        and any(one_edit(form, other) for form in _deletions(one))
    )


def odd_ones(words: Iterable[str], known: Iterable[str] = ()) -> dict[str, str]:
    """Map each rare word that is a slip to what was probably meant.

    What was meant is a word used at least three times as often, or one of `known`.
    """
    counts = Counter(words)
    always = frozenset(known)
    # count of a word -> the words that it may be a slip of
    usual: dict[int, frozenset[str]] = {}
    odd: dict[str, str] = {}
    for word, count in counts.items():
        if count not in usual:
            usual[count] = always | {w for w, n in counts.items() if n >= 3 * count and n > 2}
        near = "" if word in usual[count] else slip(word, usual[count], SHORTEST - 1)
        # what is known is only proposed for another spelling, not for another case
        if near and (near in counts or near.lower() != word.lower()):
            odd[word] = near
    return odd


def strange_functions(expression: str) -> list[str]:
    """Names of functions in a ClassAd expression that no HTCondor has."""
    folded = _folded_functions()
    text = QUOTED.sub("''", STRING.sub('""', expression))
    called = dict.fromkeys(m[1] for m in CALL.finditer(text))
    return [name for name in called if name.lower() not in folded and name.lower() not in OPERATORS]


def single_quoted(expression: str) -> list[str]:
    """What stands in single quotes, which make the name of an attribute and no text."""
    return QUOTED.findall(STRING.sub('""', expression))


@functools.cache
def _folded_functions() -> frozenset[str]:
    return frozenset(f.lower() for f in FUNCTIONS)
