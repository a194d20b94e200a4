"""The suite of the port `Transport` on each loop."""

from tests.conformance.test_transport import *  # noqa: F403
