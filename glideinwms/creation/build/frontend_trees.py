"""What a Frontend stages: its main tree (id client) and one of each group (id client_group) (protocol 6.2, 6.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from glideinwms.creation.build.attribute_placement import Placed
from glideinwms.creation.build.script_times import side
from glideinwms.creation.build.stage_files import (
    PilotFiles,
    Tables,
    blacklist,
    expanded,
    gridmap,
    unique,
    user_items,
)
from glideinwms.creation.xml.common_model import File
from glideinwms.creation.xml.frontend_model import Frontend, Group
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.formats import VariableRow
from glideinwms.lib.stage.tree import Item, Tree, build

PRE, FILES = "preentry_file_list", "file_list"
AFTER_PRE, AFTER = "aftergroup_preentry_file_list", "aftergroup_file_list"
REQ_NODE = VariableRow("GLIDECLIENT_ReqNode", "S", export=True)


def main_tree(
    frontend: Frontend,
    placed: Placed,
    pilot: PilotFiles,
    blobs: dict[str, Blob],
    problems: Problems,
) -> Tree:
    """The Frontend's own tree."""
    consts: dict[str, object] = {
        "GLIDECLIENT_Start": frontend.match.start_expr.strip() or "True",
        **placed.consts,
    }
    tables = Tables(consts, [*placed.vars.values(), REQ_NODE])
    lists = _user_lists(frontend.files, tables, blobs, problems)
    names = {c.DN: f"collector{n}" for n, c in enumerate(frontend.collectors)}
    if frontend.security.proxy_DN:
        names[frontend.security.proxy_DN] = "frontend"
    first = _first(pilot, "client", tables, [gridmap(names), blacklist()])
    rows = {
        PRE: first + lists[PRE],
        FILES: _more(pilot, "client") + lists[FILES],
        AFTER_PRE: lists[AFTER_PRE],
        AFTER: lists[AFTER],
    }
    return build("", unique(rows, frontend.files, problems))


def group_tree(
    group: Group, placed: Placed, pilot: PilotFiles, blobs: dict[str, Blob], problems: Problems
) -> Tree:
    """One group's tree."""
    consts: dict[str, object] = {
        "GLIDECLIENT_Group_Start": group.match.start_expr.strip() or "True",
        **placed.consts,
    }
    tables = Tables(consts, placed.vars.values())
    lists = _user_lists(group.files, tables, blobs, problems)
    first = _first(pilot, "client_group", tables, [blacklist()])
    rows = {
        PRE: first + lists[PRE] + lists[AFTER_PRE],
        FILES: _more(pilot, "client_group") + lists[FILES] + lists[AFTER],
    }
    return build(f"group_{group.name}", unique(rows, group.files, problems))


def _first(pilot: PilotFiles, tree: str, tables: Tables, own: list[Item]) -> list[Item]:
    """Constants first, then what is the pilot's: its rows know the untar table, which is written
    after them.
    """
    rows = expanded(pilot, tree, PRE, tables, {"constants": []})
    return [*tables.items(), *own, *rows]


def _more(pilot: PilotFiles, tree: str) -> list[Item]:
    return [f.item for f in pilot.of(tree, FILES) if f.item]


def _user_lists(
    files: Iterable[File], tables: Tables, blobs: dict[str, Blob], problems: Problems
) -> Mapping[str, list[Item]]:
    """The operator's files by list: after the entry's and before the group's unless it is said
    (config 5).
    """
    listed: dict[str, list[File]] = {PRE: [], FILES: [], AFTER_PRE: [], AFTER: []}
    for file in files:
        place = side(file, problems)
        late = place.after_entry is not False
        early, usual = (AFTER_PRE, AFTER) if place.after_group else (PRE, FILES)
        name = usual if late else early
        listed[name].append(file)
    return {
        name: user_items(
            found, tables, blobs, problems, preentry=name in (PRE, AFTER_PRE), factory=False
        )
        for name, found in listed.items()
    }
