"""Our own options: `gwms.toml` beside the XML, so that the XML stays loadable by the deployed program (decision 34)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glideinwms.creation.xml.problems import Problems, Where, did_you_mean

NAME = "gwms.toml"
# tomllib takes quadratic time for a key of many parts
MAX_CHARACTERS = 16 * 1024


class _Own(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FactoryOwn(_Own):
    """`[factory]` of gwms.toml. Ages in seconds."""

    request_max_age: float = Field(
        900.0, ge=0, description="A request older than this is not served."
    )
    keep_generations: float = Field(
        14 * 86400.0, ge=0, description="Stage files out of force for so long are pruned."
    )
    guard_pilots: int = Field(
        20, ge=0, description="Last pilots of a Frontend at an entry that count; 0: no guard."
    )
    guard_least: int = Field(5, ge=1, description="Fewer say nothing.")
    guard_share: float = Field(
        0.5, gt=0, le=1, description="With this share of them failing fewer are submitted."
    )
    guard_window: float = Field(
        4 * 3600.0, gt=0, description="Pilots that ended longer ago do not count."
    )


class FrontendOwn(_Own):
    """`[frontend]` of gwms.toml. Ages in seconds: how long the last good reading is used."""

    user_collector: str = Field(
        "", description="Collector of the user pool; default the first primary collector."
    )
    passwords_dir: str = Field(
        "/var/lib/gwms-frontend/passwords.d", description="Signing keys of pilots' tokens."
    )
    tokens_dir: str = Field(
        "/var/lib/gwms-frontend/tokens.d", description="Pilots' tokens where there is no key."
    )
    job_max_age: float = Field(1800.0, ge=0, description="Readings of schedds.")
    slot_max_age: float = Field(600.0, ge=0, description="Readings of slots.")
    factory_max_age: float = Field(900.0, ge=0, description="Readings of Factories.")
    strict_deployed_numbers: bool = Field(
        False, description="Request exactly what the deployed program would."
    )
    keep_generations: float = Field(
        14 * 86400.0, ge=0, description="Stage files out of force for so long are pruned."
    )


Own = TypeVar("Own", FactoryOwn, FrontendOwn)


def load(xml: Path, kind: type[Own], problems: Problems) -> Own:
    """The section for `kind` of the gwms.toml beside `xml`; defaults where there is none."""
    path = xml.parent / NAME
    section = "factory" if kind is FactoryOwn else "frontend"
    where = Where(str(path), 0)
    try:
        text = path.read_text()
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"it has more than {MAX_CHARACTERS} characters")
        data = tomllib.loads(text)
    except FileNotFoundError:
        return kind()
    except (OSError, ValueError, RecursionError) as error:
        problems.error(where, NAME, f"cannot be read: {error}")
        return kind()
    for name in set(data) - {"factory", "frontend"}:
        problems.error(where, name, "unknown section", did_you_mean(name, ("factory", "frontend")))
    try:
        own = kind.model_validate(data.get(section, {}))
        for name in ("passwords_dir", "tokens_dir"):
            if not getattr(own, name, "/").startswith("/"):
                place = Where(str(path), _line_of(text, section, name))
                problems.error(
                    place, f"{section}.{name}", "is not absolute", "write the whole path"
                )
        return own
    except ValidationError as error:
        for finding in error.errors(include_url=False):
            name = ".".join(str(p) for p in finding["loc"])
            place = Where(str(path), _line_of(text, section, name))
            what = "unknown option" if finding["type"] == "extra_forbidden" else str(finding["msg"])
            problems.error(place, f"{section}.{name}", what, did_you_mean(name, kind.model_fields))
        return kind()


def _line_of(text: str, section: str, name: str) -> int:
    """Where a section gives an option, 0 if it is written in another way."""
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("=")[0].strip()
        if word.startswith("["):
            inside = word.strip("[] ")
        elif (inside, word) == (section, name):
            return number
    return 0
