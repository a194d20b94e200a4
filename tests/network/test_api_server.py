"""The suites of the server over a process in between: an api answers as the home itself does."""

from collections.abc import AsyncIterator
from hashlib import sha256

import msgspec
import pytest

from aob.compose.api import Holders, HomeRoom, RemoteHome
from aob.compose.network import Member, Peers, PeerServer
from aob.compose.shards.local import STREAMS
from aob.core.policy import Caller
from aob.fanout import Limits
from aob.server import App, create_app
from tests.server.conftest import LINK_SECRET, NOW_MS, engine, http, metrics
from tests.server.fake import FakeEngine
from tests.server.fake_metrics import FakeMetrics
from tests.server.test_server_http import *  # noqa: F403
from tests.server.test_server_live import *  # noqa: F403
from tests.server.test_server_streams import *  # noqa: F403

del test_what_breaks_later_is_the_last_event  # noqa: F821  # its engine spins once a reader is behind it
del test_a_reader_that_takes_nothing_is_cut_off  # noqa: F821  # makes an application of its own

__all__ = ["engine", "http", "metrics"]
pytestmark = pytest.mark.timeout(60)


def keys_of(engine: FakeEngine) -> list[tuple[str, Caller]]:
    return [
        (sha256(secret.encode()).hexdigest(), msgspec.structs.replace(caller, id=id))
        for secret, (id, caller) in engine.keys.items()
    ]


@pytest.fixture
async def app(engine: FakeEngine, metrics: FakeMetrics) -> AsyncIterator[App]:
    room = HomeRoom(lambda: (engine, metrics), lambda: keys_of(engine), [LINK_SECRET])
    async with PeerServer(
        Member(("coordinator",)), lambda shard: room, STREAMS | {"keyring", "shared_settings"}
    ) as server:
        await server.open("127.0.0.1", 0)
        peers = Peers(Member(("api",)))
        async with peers, RemoteHome(Holders([server.address], peers), peers) as home:
            # these suites give keys to the engine while it runs, and do not wait until they are told
            home.authenticate, home.holder = engine.authenticate, engine.holder  # type: ignore[method-assign]
            text = lambda as_open_metrics: b"aob_events 1\n" + b"# EOF\n" * as_open_metrics  # noqa: E731
            yield create_app(
                home, home, link_secrets=await home.link_secrets(), limits=Limits(heartbeat_s=60), metrics_text=text,
                now_ms=lambda: NOW_MS,
            )  # fmt: skip
