"""The Frontend's policy files, tried out: what they declare beside the XML (config 9)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glideinwms.creation.xml.frontend_model import Frontend, Match, MatchAttr
from glideinwms.creation.xml.problems import Problems
from glideinwms.frontend import policy_files
from glideinwms.lib.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Declared:
    """One file: where it is, and what is merged into the group's law."""

    path: Path
    job_query: str
    factory_query: str
    job_attrs: tuple[MatchAttr, ...]
    factory_attrs: tuple[MatchAttr, ...]


def tried(frontend: Frontend, problems: Problems) -> dict[str, Declared]:
    """Every policy file of the configuration by its name there, each run once in a child process;
    those that are not taken are left out, with an error.
    """
    found: dict[str, Declared] = {}
    subjects = {
        "match": frontend.match,
        **{f"group[{g.name}]/match": g.match for g in frontend.groups},
    }
    refused: dict[str, ConfigError] = {}
    for subject, match in subjects.items():
        name = match.policy_file
        if not name or name in found:
            continue
        try:
            if name in refused:
                raise refused[name]
            found[name] = _declared(match)
        except ConfigError as error:
            refused[name] = error
            problems.error(
                match.where, f"{subject}@policy_file", f"{error.where}: {error.message}", error.hint
            )
    return found


def path_of(match: Match) -> Path:
    """A relative name is looked for beside the XML."""
    return Path(match.where.file).absolute().parent / match.policy_file


def _declared(match: Match) -> Declared:
    path = path_of(match)
    said = policy_files.try_out(str(path))
    attrs = {}
    for table in policy_files.ATTRS:
        attrs[table] = tuple(
            _attr(match, name, kind, f"{path}: {table}") for name, kind in said[table].items()
        )
    return Declared(
        path,
        said["job_query_expr"],
        said["factory_query_expr"],
        attrs["job_match_attrs"],
        attrs["factory_match_attrs"],
    )


def _attr(match: Match, name: str, kind: str, where: str) -> MatchAttr:
    try:
        return MatchAttr(where=match.where, name=name, type=kind)
    except ValueError:
        raise ConfigError(
            f"{name} has type {kind!r}", where=where, hint="string, int, real or bool"
        ) from None
