"""Finding the server, the key and the home; exit codes; errors for people and programs."""

import errno
import io
import os
import re
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import msgspec
import pytest

from aob.cli import main
from aob.cli.commands.access.key import ROLES
from aob.cli.commands.home import doctor
from aob.cli.connection import connect
from aob.cli.error_output import EXIT_BY_STATUS, complain
from aob.cli.parser import parse
from aob.cli.screen import Screen, clean
from aob.core import errors, node
from aob.core.errors import AobError, Invalid, Problem
from aob.server import announced, loopback_key
from tests.cli.conftest import Terminal
from tests.server.fake import FakeEngine


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "show", "run_none"), 3),
        (("run", "start", "refused"), 4),
        (("run", "list", "--limit", "0"), 2),
        (("blob", "get", "short"), 2),
        (("--server", "ftp://x", "run", "list"), 2),
    ],
)
async def test_the_exit_code_says_whose_fault_it_was(words: tuple[str, ...], code: int, aob: Terminal) -> None:
    done = await aob(*words)
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "\nhint: " in done.err


async def test_a_wrong_key_is_exit_4_and_no_server_exit_6(aob: Terminal) -> None:
    assert (await Terminal({**aob.env, "AOB_KEY": "wrong"})("run", "list")).code == 4
    nowhere = await Terminal({"AOB_HOME": aob.env["AOB_HOME"]})("run", "list")
    assert nowhere.code == 6
    assert f"hint: start it: aob up --home {aob.env['AOB_HOME']}" in nowhere.err


async def test_json_mode_tells_errors_as_problems(aob: Terminal) -> None:
    done = await aob("run", "show", "run_none", "--json")
    assert done.out == ""
    assert msgspec.json.decode(done.err)["code"] == "run_not_found"


def test_every_class_of_error_has_an_exit_code() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AobError)]
    assert {kind.status for kind in classes if kind.status != 500} <= set(EXIT_BY_STATUS)


def test_a_problem_is_shown_with_its_caret() -> None:
    err = io.StringIO()
    problem = Problem("/edges/e/when", "no such field", line=3, column=9, hint="use risk", caret="nodes.x.y\n        ^")
    assert complain(Invalid("bad", [problem], hint="mend it"), Screen(io.StringIO(), err), "order.yaml") == 2
    assert err.getvalue() == (
        "error: bad\n  order.yaml:3:9: /edges/e/when: no such field\n    nodes.x.y\n            ^\n"
        "    hint: use risk\nhint: mend it\n"
    )


async def test_the_home_gives_address_and_key_without_asking(url: str, engine: FakeEngine, tmp_path: Path) -> None:
    secret = await loopback_key(tmp_path, engine)
    with announced(tmp_path, url):
        assert (await Terminal({"AOB_HOME": str(tmp_path)})("run", "list")).code == 0
        assert (await Terminal({})("run", "list", "--home", str(tmp_path))).code == 0
        assert (await Terminal({})("--home", str(tmp_path), "run", "list")).code == 0
        assert (await Terminal({"AOB_HOME": str(tmp_path)})("run", "list", "--server", url)).code == 0
    assert engine.authenticate(secret) is not None


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://127.0.0.1:1", "mine"),
        ("http://localhost:1", "mine"),
        ("http://[::1]:1", "mine"),
        ("http://other:1", None),
    ],
)
def test_the_key_of_the_home_is_shown_to_this_machine_only(url: str, sent: str | None, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mine\n")
    args = parse(["--home", str(tmp_path), "--server", url, "run", "list"])
    assert connect(args, {})._http.headers.get("x-api-key") == sent


def test_common_options_stand_before_and_after_the_command() -> None:
    for words in (["--json", "run", "list"], ["run", "--json", "list"], ["run", "list", "--json"]):
        assert parse(words).json is True
    assert parse(["run", "list"]).json is False


def test_roles_are_those_of_the_policy() -> None:
    assert node.ROLES == ROLES


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["run"], ["run", "start", "--mode", "slow"], ["up", "--port", "x"]]
)
def test_wrong_words_are_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "usage: aob" in capsys.readouterr().err


def test_help_and_version_need_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "exit codes:" in capsys.readouterr().out
    assert main(["version", "--json"]) == 0
    assert "aob" in msgspec.json.decode(capsys.readouterr().out)


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert clean("a\x1b[31mb\x07\u202ec") == "a\\x1b[31mb\\x07\\u202ec"
    assert clean("plain\ttext\n") == "plain\ttext\n"


def test_the_command_starts_light() -> None:
    heavy = ("httpx", "rich", "uvicorn", "aob.compose", "aob.core.graph", "aob.core.expression", "yaml")
    code = "import sys; from aob.cli.parser import make_parser; make_parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint(heavy)


def test_requests_and_lines_of_the_log_bring_nothing_for_terminals() -> None:
    """What is installed for the command line only: it took a tenth of the start of every process."""
    code = "import sys, aob, httpx; from aob.ports.logger import Logger; Logger('x').info('e'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.splitlines()[-1].split())
    assert {"httpx", "structlog"} <= found
    assert found.isdisjoint(("rich.console", "pygments", "click"))


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    code = "import sys; from aob.cli import main; sys.exit(main(['--help']))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("reach", ["alone", "process"])
def test_a_reader_that_leaves_in_the_middle_is_no_error(reach: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of commands with and without a server: what they print is cut, and nothing is said of a pipe."""

    def left(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    async def later(*_: object) -> None:
        left()

    err, args = io.StringIO(), Namespace(reach=reach, act=left if reach == "process" else later, json=False)
    monkeypatch.setattr("aob.cli.session.parse", lambda _: args)
    monkeypatch.setattr("aob.cli.session.standard_screen", lambda **_: Screen(io.StringIO(), err))
    with tempfile.TemporaryFile() as out:
        monkeypatch.setattr("sys.stdout", out)
        assert main(["any"]) == 0
    assert err.getvalue() == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["worflow"], "did you mean `workflow`?"),
        (["run", "strat"], "did you mean `start`?"),
        (["logs", "run_1"], "did you mean `stream`?"),
        (["run", "start", "--mode", "ful"], "did you mean `full`?"),
        ([], "show the main job on real services"),
        (["patch"], "propose operations to a run"),
    ],
)
def test_wrong_words_say_which_were_meant(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert says in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def home(aob: Terminal) -> Path:
    path = Path(aob.env["AOB_HOME"])
    path.mkdir()
    return path


async def test_the_doctor_finds_what_is_wrong(aob: Terminal, engine: FakeEngine, home: Path) -> None:
    well = await aob("doctor")
    assert well.code == 0
    assert "ok       fsync: " in well.out
    assert "ok       key: the server takes it" in well.out
    (home / "key").write_text("x")
    (home / "key").chmod(0o644)
    (home / "aob.toml").write_text("prot = 1")
    engine.status = "broken"
    ill = await aob("doctor", "--json")
    assert ill.code == 1
    assert {row["what"] for row in ill.json if row["how"] == "problem"} == {"key", "settings", "server"}
    assert "chmod 600" in str(ill.json)


async def test_the_doctor_looks_on_where_nothing_can_be_written(
    aob: Terminal, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> float:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(doctor, "fsync_ms", full)
    told = {row["what"]: row for row in (await aob("doctor", "--json")).json}
    assert (told["fsync"]["how"], "No space left" in told["fsync"]["seen"]) == ("problem", True)
    assert {"settings", "server"} <= told.keys()


async def test_the_doctor_speaks_of_a_home_that_is_not_there(tmp_path: Path) -> None:
    found = await Terminal({})("doctor", "--home", str(tmp_path / "none"), "--json")
    assert found.code == 0
    assert {row["what"] for row in found.json if row["how"] == "note"} == {"home", "server"}


@pytest.mark.parametrize("role", ["api", "fanout", "worker", "executor"])
async def test_the_doctor_asks_for_no_folder_where_a_role_needs_none(role: str, tmp_path: Path) -> None:
    found = await Terminal({})("doctor", "--role", role, "--home", str(tmp_path / "none"), "--json")
    (home,) = [row for row in found.json if row["what"] == "home"]
    assert (home["how"], home["mend"]) == ("ok", "")


@pytest.mark.parametrize("width", [20, 30, 44, 60, 100])
def test_words_stay_whole_on_a_terminal_of_any_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    screen = Screen(out, io.StringIO(), colour=True)
    rows = [("run_2hdk2jd82jd8", "COMPLETED", "2026-11-29 08:00:00"), ("run_3", "WAITING (paused)", "")]
    screen.table(("run", "status", "started"), rows)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).split()
    for row in rows:
        for cell in row:
            assert set(cell.split()) <= set(plain)
