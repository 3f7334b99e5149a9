"""Somebody on the way to the stage areas alters one answer: the pilot names the file and runs nothing of it.

Real pilots over HTTP. Whatever is altered carries a command that leaves a mark, and files that are not staged are
answered with such a script: a mark means that something ran before it was verified.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from glideinwms.demo.web import locate
from tests.support.pilot_stage import Setup, tarball

PAGE = b"<html><body>Please log in to use this network.</body></html>\n"
VO = Path(__file__).parent / "vo"


@dataclass
class Stage:
    """Two generations of stage areas below `top`, and what the one in force answers: `alter` says
    how.
    """

    top: Path
    words: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url_path: str = ""
    how: str = ""
    port: int = 0

    @property
    def mark(self) -> Path:
        return self.top / "mark"

    @property
    def command(self) -> bytes:
        return b"echo ran >> " + str(self.mark).encode() + b"\n"

    def answer(self, url_path: str) -> tuple[int, bytes]:
        """Status and body for a path."""
        self.asked.append(url_path)
        path = locate({"/": self.top}, url_path)
        if not path.is_file():
            planted = self.how == "add"
            return (200, b"#!/bin/bash\n" + self.command) if planted else (404, b"")
        body = path.read_bytes()
        return 200, ALTER[self.how](self, path, body) if url_path == self.url_path else body

    def older(self, path: Path, body: bytes) -> bytes:
        """The file of the generation before; where nothing has changed since, one that differs in a
        line.
        """
        before = self.top / "old" / path.relative_to(self.top / "new")
        stem, _, rest = path.name.partition(".")
        names = [
            p
            for p in before.parent.glob(f"{glob_safe(stem)}.*")
            if p.suffix == path.suffix and p.name != path.name
        ]
        if names and rest:
            return names[0].read_bytes()
        return body.replace(b"\n", b"\n" + self.command, 1)


def glob_safe(text: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", text)


def added(stage: Stage, path: Path, body: bytes) -> bytes:
    """One more line of the file's own kind: it names a file that is not staged."""
    if path.name.startswith("description."):
        return body + b"evil_file_list\tadvertise_failure.helper\n"
    if path.name.startswith("signature."):
        return body + b"0" * 40 + b"  evil.sh\n"
    if path.suffix == ".lst":
        return body + b"evil.sh\tevil.sh\texec\t0\tGLIDEIN_PS_\tTRUE\tFALSE\n"
    return body + stage.command


ALTER: dict[str, Callable[[Stage, Path, bytes], bytes]] = {
    "append": lambda stage, path, body: body + stage.command,
    "truncate": lambda stage, path, body: body[: len(body) // 2],
    "empty": lambda stage, path, body: b"",
    "page": lambda stage, path, body: PAGE + stage.command,
    "add": added,
    "older": lambda stage, path, body: stage.older(path, body),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("altered"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            status, body = made.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as httpd:
        made.port = httpd.server_address[1]
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        for generation in ("old", "new"):
            made.words = build(made, generation)
        yield made
        httpd.shutdown()


def build(stage: Stage, generation: str) -> list[str]:
    """A stage area with a file of each kind; its pilot's command line."""
    files = stage.top / f"files-{generation}"
    files.mkdir()
    for name in ("script.sh", "wrapper.sh", "at_end.sh", "plain.txt", "fresh.txt", "sourced.sh"):
        (files / name).write_text(f"#!/bin/bash\n# {generation}\n:\n")
    (files / "extra.conf").write_text(f"# {generation}\n")
    with tarfile.open(files / "tools.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("share/version")
        info.size = len(generation)
        tar.addfile(info, io.BytesIO(generation.encode()))
    if not (stage.top / "condor.tgz").exists():
        tarball(stage.top / "condor.tgz")
    setup = Setup(
        stage.top / generation,
        f"http://127.0.0.1:{stage.port}/{generation}",
        [stage.top / "condor.tgz"],
        {"GLIDEIN_Site": generation},
        {"VO_Const": generation},
        entry_files=f'<file absfname="{files}/plain.txt"/>',
        client_files=f"""<file absfname="{files}/script.sh" executable="True" after_entry="False"/>
<file absfname="{files}/wrapper.sh" wrapper="True"/><file absfname="{files}/extra.conf" type="config:condor"/>
<file absfname="{files}/at_end.sh" executable="True" time="cleanup"/><file absfname="{files}/fresh.txt" const="False"/>
<file absfname="{files}/sourced.sh" type="source" time="setup"/>
<file absfname="{files}/tools.tar.gz" untar="True"><untar_options absdir_outattr="VO_TOOLS_DIR"/></file>""",
        group_files=f'<file absfname="{files}/script.sh" executable="True"/>',
    )
    return setup.words()


@dataclass
class Ended:
    """A pilot that has ended."""

    status: int
    said: str


def pilot(
    stage: Stage,
    tmp_path: Path,
    words: list[str],
    tool: str = "curl",
    how: str = "",
    url_path: str = "",
) -> Ended:
    """Run one to its end, with a second of hold-down, in which a failed pilot tells of it."""
    home = tmp_path / f"pilot{len(list(tmp_path.iterdir()))}"
    (home / "tmp").mkdir(parents=True)
    claims = (
        base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) + 86400}).encode())
        .decode()
        .rstrip("=")
    )
    (home / "credential_a.idtoken").write_text(f"x.{claims}.x\n")
    env = {
        "PATH": only(tmp_path, tool),
        "HOME": str(home),
        "GLIDEIN_TMP": str(home / "tmp"),
        "GLIDEIN_HOLD_DOWN": "1",
        "GLIDEIN_FETCH_PATIENCE": "2",
    }
    stage.mark.unlink(missing_ok=True)
    stage.asked.clear()
    stage.url_path, stage.how = url_path, how
    argv = ["/bin/bash", str(stage.top / "new/glidein_startup.sh"), *words]
    done = subprocess.run(
        argv,
        env=env,
        cwd=home,
        text=True,
        errors="replace",
        timeout=120,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert [p.name for p in home.rglob("glide_*")] == []
    return Ended(done.returncode, done.stdout)


def only(tmp_path: Path, tool: str) -> str:
    """A PATH that has one tool for downloads."""
    if tool == "curl":
        return "/usr/bin:/bin"
    dir = tmp_path / "bin"
    if not dir.exists():
        dir.mkdir()
        for path in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
            if path.name != "curl" and not (dir / path.name).exists():
                os.symlink(path, dir / path.name)
    return str(dir)


def refuses(
    stage: Stage, tmp_path: Path, words: list[str], url_path: str, how: str, tool: str = "curl"
) -> None:
    """A pilot that is given this file altered in this way ends, names it, and runs nothing of it."""
    ended = pilot(stage, tmp_path, words, tool, how, url_path)
    name = url_path.rpartition("/")[2]
    assert not stage.mark.exists(), f"{name}, {how}: something of it ran\n{ended.said[-4000:]}"
    assert ended.status == 1, f"{name}, {how}: exit code {ended.status}\n{ended.said[-4000:]}"
    assert name in ended.said, f"{name}, {how}: not named\n{ended.said[-4000:]}"


def answers(stage: Stage, tmp_path: Path, words: list[str], tool: str = "curl") -> list[str]:
    """The paths that a pilot asks for."""
    ended = pilot(stage, tmp_path, words, tool)
    assert ended.status == 0, ended.said[-4000:]
    return sorted(set(stage.asked))


def sha1_words(words: list[str]) -> list[str]:
    pairs = zip(words[::2], words[1::2], strict=True)
    return [word for name, value in pairs if not name.endswith("256") for word in (name, value)]


def the(paths: list[str], pattern: str) -> str:
    """The only path that matches."""
    found = [path for path in paths if re.search(pattern, path)]
    assert len(found) == 1, found
    return found[0]


def test_a_sample_of_answers(stage: Stage, tmp_path: Path) -> None:
    paths = answers(stage, tmp_path, stage.words)
    for pattern, how in (
        ("/new/factory/stage/description[.]", "add"),
        ("frontend/stage/signature[.]", "add"),
        ("/group_main/file_list[.]", "add"),
        ("/advertise_failure[.]", "append"),
        ("frontend/stage/script[.]", "truncate"),
        ("/tools[.]", "empty"),
        ("/entry_Alpha/description[.]", "older"),
        ("/condor_startup[.]", "page"),
    ):
        refuses(stage, tmp_path, stage.words, the(paths, pattern), how)


def test_a_list_that_only_an_altered_description_names_is_not_asked_for(
    stage: Stage, tmp_path: Path
) -> None:
    paths = answers(stage, tmp_path, stage.words)
    refuses(stage, tmp_path, stage.words, the(paths, "/new/factory/stage/description[.]"), "add")
    assert not [path for path in stage.asked if path.endswith("/advertise_failure.helper")]


@pytest.mark.skipif(not shutil.which("wget"), reason="there is no wget")
def test_with_wget_and_sha1_alone(stage: Stage, tmp_path: Path) -> None:
    words = sha1_words(stage.words)
    paths = answers(stage, tmp_path, words, "wget")
    for pattern, how in (
        ("/new/factory/stage/description[.]", "add"),
        ("frontend/stage/script[.]", "append"),
    ):
        refuses(stage, tmp_path, words, the(paths, pattern), how, "wget")


@pytest.mark.slow
@pytest.mark.parametrize("how", ALTER)
@pytest.mark.parametrize(
    "tree", ["factory/stage/[^/]*$", "entry_", "frontend/stage/[^/]*$", "group_main"]
)
def test_every_answer(stage: Stage, tmp_path: Path, tree: str, how: str) -> None:
    paths = [path for path in answers(stage, tmp_path, stage.words) if re.search(tree, path)]
    assert len(paths) > 5
    for url_path in paths:
        body = locate({"/": stage.top}, url_path).read_bytes()
        # a file with const="False" has no sum; an empty one is made here, whatever comes
        if "/fresh.txt" in url_path or "/nodes.blacklist" in url_path or not body:
            continue
        refuses(stage, tmp_path, stage.words, url_path, how)
