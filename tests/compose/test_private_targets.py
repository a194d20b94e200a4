"""A webhook whose target the home lets nobody reach is refused when it is made, and tells no address of the inside."""

from pathlib import Path

import pytest

import aob
from aob.core.errors import Invalid
from aob.core.policy import LOCAL


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/", "http://localhost:9/", "http://10.1.2.3/", "http://[::1]:9/", "http://169.254.169.254/",
     "http://2130706433/", "http://[::ffff:10.0.0.1]/", "HTTP://LOCALHOST./", "http://x.localhost/",
     "http://127.0.0.1%2eevil/"],
)  # fmt: skip
async def test_a_private_target_is_refused_at_once(url: str, tmp_path: Path) -> None:
    async with aob.open(tmp_path / "h") as app:
        with pytest.raises(Invalid) as caught:
            await app.metrics.create_webhook(LOCAL, url, events=["a"])
        assert caught.value.code == "bad_url"
        assert not await app.metrics.webhooks(LOCAL)


async def test_one_that_the_home_allows_is_taken(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "h", egress={"private": ["127.0.0.1:9"]}) as app:
        await app.metrics.create_webhook(LOCAL, "http://127.0.0.1:9/", events=["a"])
        assert len(await app.metrics.webhooks(LOCAL)) == 1
