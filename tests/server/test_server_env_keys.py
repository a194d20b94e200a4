"""Keys of the environment: what they lack is said, and a misspelt role is found."""

import httpx
import pytest

from aob.core.errors import Invalid
from aob.server import create_app, read_api_keys
from tests.server.fake import FakeEngine

SECRET = "a-secret-of-16-c"


def test_a_key_that_runs_and_may_not_deploy_says_what_to_write() -> None:
    keys = read_api_keys(
        f"ci:{SECRET}:run+view+finance:shop,ops:{SECRET}2:run+deploy,root:{SECRET}3:admin,eye:{SECRET}4:view"
    )
    ((id, words),) = keys.lacking()
    row, *_ = keys.rows("shop")
    assert id == row["id"]
    assert row["note"] == words
    assert words.endswith("write ci:SECRET:view+run+deploy+finance:shop")
    assert SECRET not in words
    line = words.rpartition(" ")[2].replace("SECRET", SECRET)
    caller = read_api_keys(line).authenticate(SECRET)
    assert caller is not None
    assert caller.roles == {"view", "run", "deploy", "finance"}
    assert caller.tenant == "shop"
    assert not read_api_keys(line).lacking()
    had = keys.authenticate(SECRET)
    assert had is not None
    assert not had.may("deploy")


@pytest.mark.parametrize(("role", "meant"), [("deplyo", "deploy"), ("Admin", "admin"), ("run+aprove", "approve")])
def test_a_misspelt_role_is_refused(role: str, meant: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_api_keys(f"ci:{SECRET}:{role}")
    assert f"did you mean `{meant}`?" in str(refused.value.problems)
    assert SECRET not in str(refused.value.problems)
    assert len(read_api_keys(f"ci:{SECRET}:finance+approver")) == 1


async def test_they_are_listed_with_what_is_said_of_them_and_are_nobodys_to_revoke() -> None:
    keys = read_api_keys(f"root:{SECRET}:admin,ci:{SECRET}2:run,far:{SECRET}3:run:shop")
    app = create_app(FakeEngine(), api_keys=keys)
    headers = {"x-api-key": SECRET}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://aob", headers=headers) as caller:
        listed = {row["name"]: row for row in (await caller.get("/v1/keys")).json()["keys"]}
        assert "deploy" in listed["ci"]["note"]
        assert "note" not in listed["root"]
        assert "far" not in listed
        refused = await caller.delete(f"/v1/keys/{listed['ci']['id']}")
    assert refused.status_code == 404
    assert "AOB_API_KEYS" in refused.json()["hint"]
