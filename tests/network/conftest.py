"""Tests of connections run on the loop of the product; those that depend on how a loop treats sockets on both."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

BOTH = {"test_tcp", "test_transport_here"}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:  # fmt: skip
    """Loops by name."""
    from uvloop import new_event_loop

    found: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": new_event_loop}
    if item.path.stem in BOTH:
        found["asyncio"] = asyncio.new_event_loop
    return found
