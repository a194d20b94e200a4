"""What workers hold of jobs that are not here yet: each answers for its own, and each tenant has its room again."""

from types import SimpleNamespace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.work.remote import claims as module
from aob.work.remote.claims import Claim, Claims, Key

MOST: Final = 3
WORKERS: Final[list[Any]] = [SimpleNamespace(tenant=tenant) for tenant in ("a", "a", "b")]
kinds = st.sampled_from(["add", "add", "take", "forget"])
steps = st.lists(st.tuples(kinds, st.integers(0, 2), st.integers(0, 2), st.integers(1, 2)), max_size=40)


@given(steps)
def test_a_claim_is_its_worker_s_and_takes_room_of_its_tenant_while_it_is_there(
    steps: list[tuple[str, int, int, int]],
) -> None:
    claims, known = Claims(), list[tuple[Key, Claim]]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "CLAIMS_MAX", MOST)
        for what, number, who, attempt in steps:
            key, worker = (f"run_{number}", "v"), WORKERS[who]
            if what == "add":
                claim = Claim(attempt, worker)
                room = sum(each.worker.tenant == worker.tenant for _, each in known) < MOST
                assert claims.add(key, claim) == room
                known += [(key, claim)] if room else []
            elif what == "take":
                assert claims.take(key) == [each for at, each in known if at == key]
                known = [each for each in known if each[0] != key]
            else:
                mine = (each for at, each in known if at == key and each.attempt == attempt and each.worker is worker)
                found = claims.of(key, attempt, worker)
                assert found is next(mine, None)
                if found is not None:
                    claims.forget(key, found)
                    claims.forget(key, found)  # once more does nothing
                    known = [each for each in known if each[1] is not found]
            assert sorted(map(id, (claim for _, claim in claims))) == sorted(map(id, (claim for _, claim in known)))
            assert all((key in claims) == any(at == key for at, _ in known) for key, _ in known)
