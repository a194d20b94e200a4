"""Signed links: what was signed opens, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import Refused
from aob.core.policy import Link, open_link, sign_link

SECRET = b"0123456789abcdef"
LINK = Link("default", "ticket_1", ("approve", "reject"), 1_000, "ada@example.org")

links = st.builds(
    Link,
    tenant=st.text(max_size=20),
    ticket_id=st.text(max_size=40),
    choices=st.lists(st.text(max_size=10), max_size=4).map(tuple),
    expires_ms=st.integers(1, 2**60),
    to=st.text(max_size=40),
)


@given(link=links, secret=st.binary(min_size=16, max_size=64))
def test_a_signed_link_opens_until_its_time(link: Link, secret: bytes) -> None:
    token = sign_link(secret, link)
    assert open_link([secret], token, now_ms=link.expires_ms - 1) == link
    with pytest.raises(Refused) as caught:
        open_link([secret], token, now_ms=link.expires_ms)
    assert caught.value.code == "link_expired"


@given(position=st.integers(0, 10_000), other=st.characters(codec="ascii"))
def test_a_link_with_any_other_character_does_not_open(position: int, other: str) -> None:
    token = sign_link(SECRET, LINK)
    at = position % len(token)
    forged = token[:at] + other + token[at + 1 :]
    if forged == token:
        return
    with pytest.raises(Refused) as caught:
        open_link([SECRET], forged, now_ms=0)
    assert caught.value.code == "bad_link"


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "\0.\0", "x" * 10_000, "a" * 5 + "." + "b" * 43])
def test_junk_is_no_link(token: str) -> None:
    with pytest.raises(Refused):
        open_link([SECRET], token, now_ms=0)


def test_another_secret_does_not_open_it() -> None:
    with pytest.raises(Refused):
        open_link([SECRET + b"!"], sign_link(SECRET, LINK), now_ms=0)
