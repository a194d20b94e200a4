"""Tests for the views of a `Store`, if it has any: add the suite to that of the store."""

import pytest

from aob.core.errors import CallerError
from aob.ports.store import Store, readable
from aob.testing.conformance.store import batch, head


class ViewsSuite:
    """The contract of `aob.ports.store.Views`; the fixture `store` is that of `StoreSuite`."""

    async def test_the_log_can_be_read_an_event_a_row(self, store: Store, epoch: int) -> None:
        data = b'[["run_1",0,[[1,"run_1"],[3,"fetch",{"a":[1]}]]],["run_2",4,[[26,"COMPLETED"]]]]'
        await store.commit(batch(epoch, 1, count=3, data=data, at_ms=50))
        assert await readable(store).rows("event_log") == [
            {"row": 1, "at_ms": 50, "stream": "run_1", "seq": 0, "tag": 1, "event": '[1,"run_1"]'},
            {"row": 1, "at_ms": 50, "stream": "run_1", "seq": 1, "tag": 3, "event": '[3,"fetch",{"a":[1]}]'},
            {"row": 1, "at_ms": 50, "stream": "run_2", "seq": 4, "tag": 26, "event": '[26,"COMPLETED"]'},
        ]
        assert len(await readable(store).rows("event_log", 2)) == 2

    async def test_the_runs_can_be_read(self, store: Store, epoch: int) -> None:
        rows = [head("run_b"), head("run_c", "FAILED", ended_ms=9, reason="no"), head("w", kind="workflow")]
        await store.commit(batch(epoch, 1, heads=rows))
        told = {"tenant": "acme", "workflow": "order", "started_ms": 5, "seq": 1}
        assert sorted(await readable(store).rows("runs"), key=lambda row: str(row["run"])) == [
            {**told, "run": "run_b", "status": "RUNNING", "reason": "", "ended_ms": None},
            {**told, "run": "run_c", "status": "FAILED", "reason": "no", "ended_ms": 9},
        ]

    async def test_patches_and_artifacts_can_be_read(self, store: Store, epoch: int) -> None:
        patch = b'[12,"patch_1","ann","person","why","base",[{"op":"remove","path":"/nodes/x"}],"proposed",7]'
        pushed = b'[1,"sha256:ab","1.0","ann",6,"{}"]'
        data = b'[["run_1",3,[%b,[14,"patch_1"]]],["workflow/acme/order",0,[%b,[2,"main"]]]]' % (patch, pushed)
        await store.commit(batch(epoch, 1, count=4, data=data, at_ms=50))
        assert await readable(store).rows("patches") == [
            {"run": "run_1", "patch": "patch_1", "author": "ann", "kind": "person", "reason": "why",
             "state": "proposed", "operations": '[{"op":"remove","path":"/nodes/x"}]', "at_ms": 50}
        ]  # fmt: skip
        assert await readable(store).rows("artifacts") == [
            {"workflow": "workflow/acme/order", "artifact": "sha256:ab", "version": "1.0", "by": "ann", "at_ms": 50}
        ]

    async def test_an_unknown_view_is_refused_with_those_there_are(self, store: Store) -> None:
        with pytest.raises(CallerError) as refused:
            await readable(store).rows("head; drop table head")
        for view in ("runs", "patches", "artifacts", "event_log"):
            assert view in refused.value.hint
