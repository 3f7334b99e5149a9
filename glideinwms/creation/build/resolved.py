"""What a configuration comes to: policy, trees, and what else the work area holds. Pure data for plan and apply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glideinwms.lib.jsondata import to_json
from glideinwms.lib.stage import generations
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.tree import Tree

if TYPE_CHECKING:
    from glideinwms.factory.policy import FactoryPolicy
    from glideinwms.frontend.policy import FrontendPolicy

    Policy = FactoryPolicy | FrontendPolicy


UNNAMED = '"generation": ""'


@dataclass(frozen=True, slots=True)
class UnchangedEntries:
    """Entries taken over from the policy in force: its rows, of which those in `policy.entries` are
    made anew, and the immutable files of the directories of the stage that stand as they are.
    """

    rows: tuple[dict[str, Any], ...]
    files: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Built:
    """A resolved configuration. `work_files` are content-named files of the work area,
    `directories` path -> mode, `sources` what was parsed (also what could have been, but is not
    there), `inputs` the files that it names, `text` the policy as JSON once it is named.
    """

    side: str
    policy: Policy
    trees: tuple[Tree, ...]
    work_files: Mapping[str, Blob] = field(default_factory=dict)
    directories: Mapping[Path, int] = field(default_factory=dict)
    keep_generations: float = 14 * 86400.0
    sources: tuple[Path, ...] = ()
    inputs: tuple[Path, ...] = ()
    standing: UnchangedEntries | None = None
    text: str = ""

    @property
    def subdirs(self) -> tuple[str, ...]:
        """Every directory of the stage that the configuration needs."""
        return (*(t.subdir for t in self.trees), *(self.standing.files if self.standing else ()))

    @property
    def files(self) -> tuple[str, ...]:
        """Stage-relative names of all immutable files."""
        standing = self.standing.files.items() if self.standing else ()
        return (
            *generations.file_names(self.trees),
            *(f"{folder}/{n}" for folder, names in standing for n in names),
        )

    @property
    def work_dir(self) -> Path:
        """Work area."""
        return Path(self.policy.work_dir)

    @property
    def stage_dir(self) -> Path:
        """Stage area."""
        return Path(self.policy.stage_dir)


def text_of(data: Mapping[str, Any]) -> str:
    """The policy as JSON that people can read: one value, entry or group a line."""
    parts: list[str] = []
    for name, value in data.items():
        parts.append(f"{',' if parts else '{'}\n {json.dumps(name)}: ")
        if isinstance(value, list | tuple) and value:
            for n, row in enumerate(value):
                parts += ("[\n  " if n == 0 else ",\n  ", json.dumps(row))
            parts.append("\n ]")
        else:
            parts.append(json.dumps(value))
    parts.append("\n}\n")
    return "".join(parts)


def named(built: Built) -> tuple[Built, dict[str, Any]]:
    """The built configuration with its generation: 12 hex of the SHA-256 of the policy itself, and
    its JSON data.
    """
    data = to_json(replace(built.policy, generation=""))
    if built.standing:
        fresh = {e["name"]: e for e in data["entries"]}
        data["entries"] = [fresh.get(row["name"], row) for row in built.standing.rows]
    text = text_of(data)
    generation = hashlib.sha256(text.encode()).hexdigest()[:12]
    data["generation"] = generation
    # the pointer is large: made once
    text = text.replace(UNNAMED, f'"generation": "{generation}"', 1)
    return replace(built, policy=replace(built.policy, generation=generation), text=text), data
