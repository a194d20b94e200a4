"""What a node of a built-in kind does in its home, it does at `aob serve worker`: the same tests, with the kinds behind
a real stream. No secret is in a frame of it."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc")

import aob
from aob.rpc import worker_pb2 as pb
from aob.server.workers import stream as streams
from aob.work.secrets import Vault
from aob.worker import Holding
from tests.runs import test_agent_patch, test_secrets_of_runs
from tests.runs.conftest import app as app
from tests.runs.conftest import deed as deed
from tests.runs.home import finished, flow
from tests.runs.test_agent_patch import scripts as scripts
from tests.runs.test_secrets_of_runs import VALUE, asks
from tests.runs.test_secrets_of_runs import kept as kept
from tests.runs.test_secrets_of_runs import shop as shop
from tests.work import test_agent_in_a_run
from tests.work.peers import peer
from tests.worker.executing import opened

pytestmark = pytest.mark.usefixtures("scripts")

for module in (test_agent_in_a_run, test_agent_patch, test_secrets_of_runs):
    for name, each in vars(module).items():
        if name.startswith(("test_", "Test")):
            assert name not in globals(), name
            globals()[name] = each


@pytest.fixture(autouse=True)
def at_an_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aob, "open", opened)


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """All that both sides send."""
    seen: list[bytes] = []
    frame, arrives = streams._frame, Holding.arrives

    def takes(data: bytes) -> pb.WorkerFrame:
        seen.append(data)
        return frame(data)

    def comes(self: Holding, stream: int, given: pb.ServerFrame) -> None:
        seen.append(given.SerializeToString())
        arrives(self, stream, given)

    monkeypatch.setattr(streams, "_frame", takes)
    monkeypatch.setattr(Holding, "arrives", comes)
    return seen


async def test_no_secret_is_in_a_frame(tmp_path: Path, frames: list[bytes]) -> None:
    async with peer() as store:
        Vault(tmp_path / "h" / "secrets", {}).set("SHOP", VALUE, ("127.0.0.1",))
        store.answer("/ok", f'{{"echo": "Bearer {VALUE}"}}'.encode(), content_type="application/json")
        async with aob.open(tmp_path / "h", egress={"private": [f"127.0.0.1:{store.port}"]}) as home:
            await home.push(flow("g", {"a": asks(store.url + "/ok")}))
            run = await finished(home, (await home.start("g")).id)
        assert store.requests[0].headers["authorization"] == f"Bearer {VALUE}"
    assert run["status"] == "COMPLETED"
    assert any(b"/ok" in frame for frame in frames)
    assert not any(VALUE.encode() in frame for frame in frames)


async def test_large_values_go_in_and_out(tmp_path: Path) -> None:
    """Through the frames up to the limit of one; what is larger is a blob, as for handlers."""
    async with peer() as store:
        store.answer("/big", b'"' + b"y" * 900_000 + b'"', content_type="application/json")
        async with aob.open(tmp_path / "h", egress={"private": [f"127.0.0.1:{store.port}"]}) as home:
            node: dict[str, Any] = {
                "kind": "http",
                "config": {"url": store.url + "/big", "method": "POST", "body": {"all": "{input}"}},
            }
            await home.push(flow("g", {"a": node}))
            run = await finished(home, (await home.start("g", "x" * 500_000)).id)
        assert len(store.requests[0].body) > 500_000
    assert run["status"] == "COMPLETED", run["error"]
    assert len(run["output"]) == 900_000


async def test_an_object_is_put_and_got(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    put = {"kind": "object", "config": {"op": "put", "key": "orders/1.json"}}
    got = {"kind": "object", "config": {"op": "get", "key": "orders/1.json"}}
    async with aob.open(tmp_path / "h") as home:
        await home.push(flow("g", {"a": put, "b": got}, "a>b"))
        run = await finished(home, (await home.start("g", {"n": 1})).id)
    assert run["output"] == {"n": 1}
