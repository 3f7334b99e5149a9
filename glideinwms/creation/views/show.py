"""The effective configuration with the origin of each value: file:line, or the default (issue: show)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glideinwms.creation.build import factory, frontend
from glideinwms.creation.xml.elements import Element, shape
from glideinwms.creation.xml.problems import Problems, did_you_mean
from glideinwms.lib.errors import ConfigError

DEFAULT = "default"
# what an entry or group takes from elsewhere in the file if it says nothing
INHERITED = {
    "config/max_jobs@num_factories": ("submit@num_factories",),
    "config@ignore_down_entries": ("config@ignore_down_entries",),
    "config@ramp_up_attenuation": ("config@ramp_up_attenuation",),
    "security@security_name": ("security@security_name", "@frontend_name"),
    "security@proxy_selection_plugin": ("security@proxy_selection_plugin",),
    "security@idtoken_lifetime": ("security@idtoken_lifetime",),
    "security@idtoken_keyname": ("security@idtoken_keyname",),
}
# where a group's are added to the global ones
ADDED = ("match@", "match/", "security/credentials/", "security/parameters/")
PARTS = {
    "factory": (("entries", "name"), ("entry_sets", "alias")),
    "frontend": (("groups", "name"),),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One value: `path` like `config/max_jobs/per_entry@idle`, `origin` file:line or `default`."""

    path: str
    value: Any
    origin: str


def effective(xml: Path, side: str, name: str = "") -> list[Shown]:
    """Every value of the whole file, or of the entry or group `name` and of what it inherits."""
    problems = Problems()
    read = factory.read if side == "factory" else frontend.read
    root = read(xml, problems)
    problems.check()
    if not name:
        return list(_values("", root))
    part = _part(root, side, name)
    whole = {s.path: s for s in _values("", root)}
    own = [_inherited(s, whole) for s in _values("", part)]
    given = {s.path for s in own}
    more = [
        s
        for s in _values("", root)
        if s.path.startswith(ADDED)
        or (s.path.startswith(("attrs/", "files/")) and s.path not in given)
    ]
    return [*own, *(Shown(f"(global) {s.path}", s.value, s.origin) for s in more)]


def _inherited(shown: Shown, whole: Mapping[str, Shown]) -> Shown:
    """The value itself, or the one that stands for it where it is not given."""
    if shown.value in ("", None):
        for source in (whole[path] for path in INHERITED.get(shown.path, ())):
            if source.value not in ("", None):
                return replace(source, path=shown.path)
    return shown


def _part(root: Element, side: str, name: str) -> Element:
    names = []
    for container, key in PARTS[side]:
        for part in getattr(root, container):
            if getattr(part, key) == name:
                return part  # type: ignore[no-any-return]
            names.append(getattr(part, key))
    raise ConfigError(f"there is no {name!r}", where=side, hint=did_you_mean(name, names))


def _values(prefix: str, element: Element) -> Iterator[Shown]:
    """Attributes first, then children, then the items of containers by their names."""
    given = element.model_fields_set
    for field, (item, kind) in shape(type(element)).items():
        value = getattr(element, field)
        if kind is None:
            origin = str(element.where) if field in given else DEFAULT
            yield Shown(f"{prefix}@{field}", value, origin)
        elif not item:
            yield from _values(f"{prefix}/{field}" if prefix else field, value)
        else:
            for n, child in enumerate(value):
                label = next(
                    (
                        getattr(child, k)
                        for k in ("name", "alias", "absfname")
                        if getattr(child, k, "")
                    ),
                    n,
                )
                yield from _values(
                    f"{prefix}/{field}/{label}" if prefix else f"{field}/{label}", child
                )
