"""A member looks whether the members that are there take it before it takes a shard: with certificates in a cluster
without, or without in one with them, nobody would reach what it took."""

import pytest

from aob.compose.coordinator.meeting import meets
from aob.compose.network import Member, Peers, PeerServer
from aob.compose.network.certificates import Certificates
from aob.core.cluster import ALONE
from aob.core.cluster import Member as Standing
from aob.core.errors import Refused, Unavailable
from tests.network.peers import STREAMS, Shards
from tests.servers.certificates import certificates
from tests.servers.ports import free_port


async def met(ours: Certificates | None, theirs: Certificates | None, *others: Standing, cluster: str = "c") -> None:
    """Meet a member that is there, and these."""
    async with PeerServer(Member(("coordinator",), "s", "1", "c"), Shards(0).find, STREAMS, theirs) as there:
        await there.open("127.0.0.1", 0)
        async with Peers(Member(("coordinator",), "n", "1", cluster), ours) as peers:
            await meets(peers, [Standing("a", there.address), *others], ours is not None)


AWAY = Standing("b", f"127.0.0.1:{free_port()}")


async def test_members_of_one_kind_meet() -> None:
    await met(None, None)
    await met(certificates("coordinator"), certificates("coordinator"), AWAY)


@pytest.mark.parametrize("ours", [True, False])
async def test_one_with_certificates_and_one_without_do_not(ours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.compose.coordinator.meeting.LOOKS", 3)
    pair = (certificates("coordinator"), None) if ours else (None, certificates("coordinator"))
    with pytest.raises(Refused) as refused:
        await met(*pair, AWAY)
    assert refused.value.code == "members_not_met"
    assert ("this one has certificates" if ours else "AOB_CERTS") in refused.value.hint


async def test_neither_do_those_of_two_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.compose.coordinator.meeting.LOOKS", 3)
    with pytest.raises(Refused) as refused:
        await met(None, None, cluster="d")
    assert "cluster" in refused.value.detail


async def test_members_that_are_away_or_leave_are_not_waited_for() -> None:
    async with Peers(Member(("coordinator",), "n", "1", "c")) as peers:
        await meets(peers, [], False)
        await meets(peers, [AWAY], False)
        await meets(peers, [Standing("b", AWAY.address, leaving=True)], False)
        await meets(peers, [Standing("whole", f"http://{AWAY.address}", roles=(ALONE,))], False)


async def test_a_port_for_others_that_is_taken_is_named() -> None:
    async with PeerServer(Member(("coordinator",)), Shards(0).find, STREAMS) as first:
        await first.open("127.0.0.1", 0)
        async with PeerServer(Member(("coordinator",)), Shards(0).find, STREAMS) as second:
            with pytest.raises(Unavailable) as taken:
                await second.open("127.0.0.1", int(first.address.rpartition(":")[2]))
    assert (taken.value.code, first.address in taken.value.detail) == ("port_taken", True)
    assert "--peers" in taken.value.hint
