"""What a configuration comes to: policy, trees, and what else the work area holds. Pure data for plan and apply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glideinwms.lib.jsondata import to_json
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.tree import Tree

if TYPE_CHECKING:
    from glideinwms.factory.policy import FactoryPolicy
    from glideinwms.frontend.policy import FrontendPolicy

    Policy = FactoryPolicy | FrontendPolicy


@dataclass(frozen=True, slots=True)
class Built:
    """A resolved configuration. `work_files` are content-named files of the work area, `directories` path -> mode,
    `sources` what was parsed (also what could have been, but is not there), `inputs` the files that it names."""

    side: str
    policy: Policy
    trees: tuple[Tree, ...]
    work_files: Mapping[str, Blob] = field(default_factory=dict)
    directories: Mapping[Path, int] = field(default_factory=dict)
    keep_generations: float = 14 * 86400.0
    sources: tuple[Path, ...] = ()
    inputs: tuple[Path, ...] = ()

    @property
    def work_dir(self) -> Path:
        """Work area."""
        return Path(self.policy.work_dir)

    @property
    def stage_dir(self) -> Path:
        """Stage area."""
        return Path(self.policy.stage_dir)


def named(built: Built) -> tuple[Built, dict[str, Any]]:
    """The built configuration with its generation: 12 hex of the SHA-256 of the policy itself, and its JSON data."""
    data = to_json(replace(built.policy, generation=""))
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    generation = hashlib.sha256(text.encode()).hexdigest()[:12]
    data["generation"] = generation
    return replace(built, policy=replace(built.policy, generation=generation)), data
