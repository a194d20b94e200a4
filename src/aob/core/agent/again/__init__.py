"""What is done with records that a key has had before: what of them is settled, what of the key is outdated. Pure."""

from aob.core.agent.again.recalling import Before, outdated, settled_before

__all__ = ["Before", "outdated", "settled_before"]
