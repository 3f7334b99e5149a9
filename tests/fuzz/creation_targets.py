"""Fuzz targets of creation: XML, gwms.toml, whole configurations."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml import gwms_toml, source
from glideinwms.creation.xml.expand import expand
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.lib.errors import ConfigError
from tests.fuzz.lib_targets import octets, texts
from tests.fuzz.target import target
from tests.support.configs import DATA

FOLDER = Path(tempfile.mkdtemp(prefix="gwms-fuzz-"))
XML = {
    name: (DATA / f"{name}.xml").read_bytes() for name in ("factory.minimal", "frontend.minimal")
}
_UNITS = (
    b"<a>",
    b"<a/>",
    b"<a b='",
    b"<!--",
    b"--",
    b"]]>",
    b"<![CDATA[",
    b"<!DOCTYPE a [",
    b"x",
    b"&amp;",
    b'"',
    b"<a b='1' ",
    b"<a></b>",
    b"\n",
    b"<a>x</a>",
    b"<",
)


@target(
    make=octets(
        b"<glidein a='b'>\n<entries><entry name='x'/></entries>\n<!-- c --></glidein>",
        *XML.values(),
    ),
    allowed=(InvalidConfig,),
    units=_UNITS,
    max_message=2_000,
)
def xml_file(data: Any) -> None:
    problems = Problems()
    node = source.parse(Path("/x.xml"), lambda path: data, problems)
    assert node.tag


@target(
    make=octets(*XML.values()),
    allowed=(InvalidConfig, ConfigError),
    short=6,
    million=5_000,
    max_message=100_000,
    units=(b"<a>", b"<a/>"),
    around=("<glidein>", "</glidein>"),
)
def configuration(data: Any) -> None:
    side = "frontend" if b"<frontend" in data else "factory"
    path = FOLDER / side / f"{side}.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    build(path, side, Problems())


@target(
    make=texts(
        "[factory]\nrequest_max_age = 900\n", "[frontend]\ntokens_dir = '/x'\njob_max_age = 1.5\n"
    ),
    units=("[", "a.", "'", "9", "a=1\n"),
)
def toml_file(text: Any) -> None:
    (FOLDER / gwms_toml.NAME).write_bytes(text.encode("utf-8", "surrogatepass"))
    for kind in (gwms_toml.FactoryOwn, gwms_toml.FrontendOwn):
        problems = Problems()
        gwms_toml.load(FOLDER / "x.xml", kind, problems)
        assert all(len(str(found)) < 2_000 for found in problems.found)


@target(make=texts("a = [[1], [2]]\nb = {c = {}}"), units=("[", "{a=", "[[1],"), around=("a=", ""))
def toml_value(text: Any) -> None:
    toml_file(text)


@target(
    make=texts("$GLIDEIN_Site-$$x", "${A}", "$A$B", "plain"),
    units=("$", "$A", "${", "A"),
    allowed=(ConfigError,),
)
def expanded_value(text: Any) -> None:
    expand(text, {"A": "$B", "B": "x", "GLIDEIN_Site": "$A"})
