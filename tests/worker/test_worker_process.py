"""`aob worker` as real processes before a server of the protocol: what its death costs, how it ends."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.ports import free_port

pytest.importorskip("grpc")

import grpc

from aob.core.value import decode
from tests.worker.command import APP, worker
from tests.worker.served import KEY, Served

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need a Unix")


@pytest.fixture
def home() -> Iterator[Served]:
    with Served() as made:
        yield made


def words(home: Served, *more: str) -> tuple[str, ...]:
    return str(APP), "--url", f"grpc://{home.address}", *more


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_performs_handlers_on_the_loop_in_threads_and_in_processes(home: Served, tmp_path: Path) -> None:
    with worker(tmp_path, *words(home, "--label", "gpu=a100", "--build", "b7", "--name", "w1"), key=KEY) as command:
        loaded = command.until("loaded")
        assert loaded["build"] == "b7"
        assert {"echo", "crunch", "thread"} <= set(loaded["handlers"])
        jobs = [
            home.give("echo", input=b'{"n":[1,2]}'), home.give("thread", input=b'"x"'),
            home.give("crunch", input=b"10"), home.give("fails"), home.give("pays", input=b"{}"),
            home.give("echo", input=b'{"value":5}', by_name=True),
        ]  # fmt: skip
        said = [home.answer(job) for job in jobs]
        assert [decode(each.done.output) for each in said if each.HasField("done")] == [
            {"n": [1, 2]}, "x", 45, {"paid": True}, 5
        ]  # fmt: skip
        fault = said[3].fail
        assert (fault.code, fault.permanent, decode(fault.detail)) == ("closed", True, {"why": "sunday"})
        hello = home.home.hellos[0]
        assert (hello.worker, hello.build, dict(hello.labels), hello.slots) == ("w1", "b7", {"gpu": "a100"}, 64)
        assert {each.name: each.effect for each in hello.handlers}["echo"] == "none"
        assert command.end() == 0
        assert command.until("counted") == {
            "event": "counted", "done": 5, "failed": 1, "declined": 0, "dropped": 0, "lost": 0, "pid": loaded["pid"]
        }  # fmt: skip
    assert home.home.drains


def test_a_stop_lets_running_handlers_end_and_a_second_one_does_not(home: Served, tmp_path: Path) -> None:
    until = tmp_path / "until"
    given = b'{"until":"%b"}' % str(until).encode()
    with worker(tmp_path, *words(home), key=KEY) as command:
        job = home.give("slow", input=given)
        home.until(lambda home: home.lines)
        command.process.send_signal(signal.SIGTERM)
        home.until(lambda home: home.drains)
        until.touch()
        assert home.answer(job).HasField("done")
        assert command.ended() == 0
    until.unlink()
    with worker(tmp_path, *words(home), key=KEY) as command:
        home.give("slow", input=given)
        home.until(lambda home: len(home.lines) == 2)
        command.process.send_signal(signal.SIGINT)
        command.until("draining")
        pid = command.until("loaded")["pid"]
        assert command.end() == 0
        assert not alive(pid)


@pytest.mark.parametrize(("handler", "how"), [("exits", "with exit code 7"), ("segfaults", "by SIGSEGV")])
def test_a_handler_that_ends_its_process_ends_no_other(home: Served, tmp_path: Path, handler: str, how: str) -> None:
    with worker(tmp_path, *words(home), key=KEY) as command:
        home.give(handler)
        assert command.until("died")["how"] == how
        first = home.home.hellos[0]
        home.until(lambda home: len(home.hellos) == 2)
        again = home.home.hellos[1]
        assert (again.worker, len(again.held)) == (first.worker, 0)
        assert again.incarnation != first.incarnation
        with home.turn:
            home.home.leased.clear()
            home.home.never_came.clear()
        assert decode(home.answer(home.give("echo", input=b"3")).done.output) == 3


def test_a_process_over_its_memory_is_ended_and_started_again(home: Served, tmp_path: Path) -> None:
    with worker(tmp_path, *words(home, "--memory", "300M"), key=KEY) as command:
        home.give("hoards")
        assert command.until("over_memory")["limit"] == 300 * 1024 * 1024
        assert "of memory" in command.until("died")["how"]
        home.until(lambda home: len(home.hellos) == 2)


def test_a_keeper_that_is_killed_takes_its_process_along(home: Served, tmp_path: Path) -> None:
    with worker(tmp_path, *words(home), key=KEY) as command:
        pid = command.until("connected")["pid"]
        handle = os.pidfd_open(pid)
        command.process.kill()
        import select

        assert select.select([handle], [], [], 10)[0], "it lives on without its keeper"
        os.close(handle)


def test_a_stream_that_is_cut_is_opened_again_with_all_that_is_held(home: Served, tmp_path: Path) -> None:
    until = tmp_path / "until"
    given = b'{"until":"%b"}' % str(until).encode()
    with worker(tmp_path, *words(home), key=KEY) as command:
        jobs = [home.give("slow", input=given), home.give("blocks", input=given)]
        home.until(lambda home: home.lines)
        for streams in (2, 3):
            home.cut()  # while a handler blocks the loop: the stream has a thread of its own
            home.until(lambda home, streams=streams: len(home.hellos) == streams)
            assert {held.visit for held in home.home.hellos[-1].held} == {job[1] for job in jobs}
        until.touch()
        assert all(home.answer(job).HasField("done") for job in jobs)
        assert command.end() == 0
        assert [each for each in command.notes() if each.startswith("begin")] == ["begin k"] * 2


def test_a_server_that_falls_silent_is_left_and_found_again(home: Served, tmp_path: Path) -> None:
    with worker(tmp_path, *words(home), key=KEY) as command:
        command.until("connected")
        home.dumb = True
        command.until("waits")
        home.dumb = False
        assert decode(home.answer(home.give("echo", input=b"3")).done.output) == 3


def test_a_dropped_attempt_is_stopped_and_not_reported(home: Served, tmp_path: Path) -> None:
    given = b'{"until":"%b"}' % str(tmp_path / "never").encode()
    with worker(tmp_path, *words(home), key=KEY) as command:
        home.give("slow", input=given)
        home.until(lambda home: home.lines)
        with home.turn:
            home.home.leased.clear()  # it was away for too long: others have it
        home.cut()
        home.until(lambda home: len(home.hellos) == 2)
        assert decode(home.answer(home.give("echo", input=b"3")).done.output) == 3
        assert command.end() == 0
        assert command.until("counted")["dropped"] == 1
        assert "done k" not in command.notes()


def test_a_wrong_key_and_what_takes_no_workers_end_it_with_a_hint(home: Served, tmp_path: Path) -> None:
    with worker(tmp_path, *words(home), key="wrong") as command:
        assert command.ended() == 4
        assert "AOB_API_KEY" in command.errors
    home.refuse = grpc.StatusCode.ABORTED, "another process of the worker 'w1' is attached"
    with worker(tmp_path, *words(home), key=KEY) as command:
        assert command.ended() == 5
        assert "another process" in command.errors


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("missing.py", "--url", "grpc://127.0.0.1:1"), "there is no such file"),
        ((str(APP), "--url", "ftp://127.0.0.1:1"), "not the address of a home"),
        ((str(APP), "--url", "grpc://127.0.0.1"), "names no port"),
        ((str(APP), "--url", "grpc://example.com:1"), "grpcs://"),
        ((str(APP), "--url", "grpc://127.0.0.1:1", "--slots", "0"), "1 to 10,000"),
        ((str(APP), "--url", "grpc://127.0.0.1:1", "--label", "gpu"), "key=value"),
        ((str(APP), "--url", "grpc://127.0.0.1:1", "--memory", "lots"), "no size"),
    ],
)
def test_what_cannot_be_is_said_with_the_way_to_mend_it(tmp_path: Path, given: tuple[str, ...], said: str) -> None:
    with worker(tmp_path, *given) as command:
        assert command.ended() == 2
        assert said in command.errors


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with worker(tmp_path, str(APP), "--url", f"http://127.0.0.1:{port}") as command:
        assert str(port) in command.until("waits")["why"]
        assert command.end() == 0
