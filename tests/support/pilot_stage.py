"""Stage areas for pilots, made by the real creation code: `python -m tests.support.pilot_stage OUT URL [OPTIONS]`.

Writes OUT/factory/stage, OUT/frontend/stage, the pilot's executable OUT/glidein_startup.sh and its command
line OUT/args, one word a line. OUT must be served below URL as it is.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from glideinwms.creation.build.factory import build_factory
from glideinwms.creation.build.frontend import build_frontend
from glideinwms.creation.xml.problems import Problems
from glideinwms.factory.snapshot import Request, Web
from glideinwms.factory.submit.arguments import arguments
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.stage import publish

STUB_MASTER = rb"""#!/bin/sh
# stands for condor_master: says how it was called, ends at a signal or when its time is over
[ "$1" = -version ] && { echo 'stub 1'; exit 0; }
echo "stub condor_master $* CONDOR_CONFIG=$CONDOR_CONFIG" >&2
# what a shell starts in the background ignores QUIT
[ -n "$STUB_LISTENS" ] || STUB_LISTENS=1 exec env --default-signal=QUIT,INT "$0" "$@"
# said once, however often it is asked
trap 'trap "" QUIT TERM; echo stub got QUIT >&2; kill $! ; exit 0' QUIT
trap 'trap "" QUIT TERM; echo stub got TERM >&2; kill $! ; exit 0' TERM
here=${CONDOR_CONFIG%/*}
[ -z "$EVIDENCE" ] || cp -r "$here/condor_config" "$here/glidein_config" "$here/condor_job_wrapper.sh" \
    "$here/condor_config.d" "$EVIDENCE/"
[ ! -r /cvmfs/cms.cern.ch/name ] || cp /cvmfs/cms.cern.ch/name "$EVIDENCE/master.sees"
while [ $# -gt 0 ]; do [ "$1" = -pidfile ] && echo $$ > "$2"; shift; done
sleep "${STUB_MASTER_TIME:-0.1}" & wait
exit "${STUB_MASTER_STATUS:-0}"
"""


def tarball(path: Path, filler: int = 0) -> None:
    """A worker tarball with a stub condor_master; `filler`: bytes that do not compress."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        members = {"condor-worker/sbin/condor_master": STUB_MASTER}
        if filler:
            members["condor-worker/lib/filler"] = Path("/dev/urandom").open("rb").read(filler)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))


def tags(values: Mapping[str, str], rest: str) -> str:
    """`<attr>` elements."""
    return "".join(
        f'<attr name={quoteattr(k)} value={quoteattr(v)} glidein_publish="False" job_publish="False" {rest}/>'
        for k, v in values.items()
    )


@dataclass
class Setup:
    """What a stage area holds. Files are `<file>` elements as the XML has them."""

    out: Path
    url: str
    tarballs: Sequence[Path]
    entry_attrs: Mapping[str, str] = field(default_factory=dict)
    client_attrs: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    factory_files: str = ""
    entry_files: str = ""
    client_files: str = ""
    group_files: str = ""
    collector: str = "127.0.0.1:1"
    layout: str = "partitionable"
    verbosity: str = "fast"
    work_dir: str = "."
    sha256: bool = True
    start: str = "True"

    def factory_xml(self) -> str:
        balls = "".join(
            f'<condor_tarball arch="default" os="{f"os{n}" if n else "default"}" version="default" tar_file="{p}"/>'
            for n, p in enumerate(self.tarballs)
        )
        entry = tags(self.entry_attrs, 'publish="True" const="True" parameter="False"')
        return f"""<glidein factory_name="test_factory" glidein_name="v1" factory_collector="127.0.0.1:1"
 schedd_name="wms@wms.demo">
<security><frontends><frontend name="test_frontend" identity="frontend@wms.demo"><security_classes>
<security_class name="frontend" username="test"/></security_classes></frontend></frontends></security>
<stage base_dir="{self.out}/factory/stage" web_base_url="{self.url}/factory/stage"/>
<monitor base_dir="{self.out}/factory/monitor"/>
<submit base_dir="{self.out}/factory/work" base_log_dir="{self.out}/factory/log"
 base_client_log_dir="{self.out}/factory/client" base_client_proxies_dir="{self.out}/factory/proxies"/>
<attrs><attr name="USE_CCB" value="True" const="True" parameter="True" publish="True" glidein_publish="False"/></attrs>
<files>{self.factory_files}</files>
<entries><entry name="Alpha" gatekeeper="ce_a@ce-a.demo localhost:4" gridtype="condor" auth_method="scitoken"
 trust_domain="ce-a.demo" verbosity="{self.verbosity}" work_dir="{self.work_dir}">
<config><submit slots_layout="{self.layout}"/></config><attrs>{entry}</attrs>
<files>{self.entry_files}</files></entry></entries>
<condor_tarballs>{balls}</condor_tarballs></glidein>"""

    def frontend_xml(self) -> str:
        attrs = tags(self.client_attrs, 'parameter="False"') + tags(self.params, 'parameter="True"')
        return f"""<frontend frontend_name="test_frontend" frontend_versioning="False">
<work base_dir="{self.out}/frontend/work" base_log_dir="{self.out}/frontend/log"/>
<stage base_dir="{self.out}/frontend/stage" web_base_url="{self.url}/frontend/stage"/>
<monitor base_dir="{self.out}/frontend/monitor" web_base_url="{self.url}/frontend/monitor"/>
<match match_expr="True" start_expr={quoteattr(self.start)}>
<factory query_expr="True"><collectors><collector node="127.0.0.1:1" DN="" factory_identity="factory@wms.demo"
 my_identity="frontend@wms.demo"/></collectors></factory>
<job query_expr="True"><schedds><schedd fullname="user@user.demo" DN="/DC=demo/CN=user"/></schedds></job></match>
<security security_name="test_frontend" proxy_selection_plugin="ProxyAll"><credentials>
<credential type="scitoken" absfname="{self.out}/a.scitoken" trust_domain="ce-a.demo" security_class="frontend"/>
</credentials></security>
<attrs>{attrs}</attrs><files>{self.client_files}</files>
<collectors><collector node="{self.collector}" DN=""/></collectors>
<groups><group name="main"><match start_expr="True"/><files>{self.group_files}</files></group></groups></frontend>"""

    def words(self) -> list[str]:
        """Build and publish everything; the pilot's command line."""
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "factory.xml").write_text(self.factory_xml())
        (self.out / "frontend.xml").write_text(self.frontend_xml())
        factory = build_factory(self.out / "factory.xml", Problems())
        frontend = build_frontend(self.out / "frontend.xml", Problems())
        for built in (factory, frontend):
            publish.publish(built.stage_dir, built.trees)
            work = Path(built.policy.work_dir)  # type: ignore[union-attr]
            work.mkdir(parents=True, exist_ok=True)
            (work / "policy.json").write_text(json.dumps(to_json(built.policy)))
        startup = next(iter(factory.work_files.values()))
        (self.out / "glidein_startup.sh").write_bytes(startup.read())
        (self.out / "glidein_startup.sh").chmod(0o755)
        main, group = frontend.policy.stage, frontend.policy.groups[0].stage  # type: ignore[union-attr]
        sums = (main.sign256, group.sign256) if self.sha256 else ("", "")
        web = Web(
            main.url,
            "sha1",
            main.descript,
            main.sign,
            sums[0],
            group.url,
            group.descript,
            group.sign,
            sums[1],
        )
        params = {
            "GLIDEIN_Collector": self.collector,
            "GLIDECLIENT_ReqNode": "wms.demo",
            **frontend.policy.groups[0].params,
            **self.params,
        }  # type: ignore[union-attr]
        request = Request(
            "r",
            "Alpha",
            "test_frontend.main",
            "test_frontend",
            "main",
            credential="cred1",
            web=web,
            params=params,
        )
        entry = factory.policy.entries[0]  # type: ignore[union-attr]
        sub = entry.subs[0] if hasattr(entry, "subs") else entry.sub_entries[0]
        line = arguments(factory.policy, entry, sub, request)  # type: ignore[arg-type]
        words = [w.replace("$(Cluster)", "7").replace("$(Process)", "3") for w in line.split(" ")]
        if not self.sha256:
            for option in ("-sign256", "-signentry256"):
                at = words.index(option)
                del words[at : at + 2]
        (self.out / "args").write_text("".join(f"{w}\n" for w in words))
        return words


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("url")
    for option in (
        "factory-files",
        "entry-files",
        "client-files",
        "group-files",
        "layout",
        "verbosity",
        "start",
    ):
        parser.add_argument(f"--{option}", default=argparse.SUPPRESS)
    for option in ("entry-attr", "client-attr", "param"):
        parser.add_argument(f"--{option}", action="append", default=[])
    parser.add_argument("--sha1", action="store_true")
    given = vars(parser.parse_args())
    out: Path = given.pop("out")
    out.mkdir(parents=True, exist_ok=True)
    ball = out / "condor.tgz"
    if not ball.exists():
        tarball(ball)
    pairs = {
        k: dict(p.split("=", 1) for p in given.pop(k))
        for k in ("entry_attr", "client_attr", "param")
    }
    Setup(
        out,
        given.pop("url"),
        [ball],
        pairs["entry_attr"],
        pairs["client_attr"],
        pairs["param"],
        sha256=not given.pop("sha1"),
        **given,
    ).words()


if __name__ == "__main__":
    main()
