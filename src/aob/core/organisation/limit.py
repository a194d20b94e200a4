"""The limits of an organisation: what a tenant may declare, and how large each of it may be."""

from typing import Final

NAME_CHARS_MAX: Final = 200  # characters of the name of a topic or an agent
NAMESPACES_MAX: Final = 1_000  # namespaces of a tenant
TOPICS_MAX: Final = 5_000  # declared topics of a tenant
AGENT_TOPICS_MAX: Final = 100  # topics of its own that an agent has asked for
EXPORTS_MAX: Final = 100  # namespaces that a topic is exported to
PURPOSE_CHARS_MAX: Final = 1_000  # characters of a purpose, a description or a reason
OWNER_CHARS_MAX: Final = 200
TYPES_MAX: Final = 100  # types of event that a topic allows
TYPE_CHARS_MAX: Final = 200
DEPTH_DEFAULT: Final = 16  # how deep records of a topic may follow from one another, unless it says otherwise
DEPTH_MAX: Final = 1_000
LIFE_MIN_MS: Final = 1_000  # a topic lives at least so long
DRAIN_MS: Final = 3_600_000  # a topic drains an hour unless a deletion says otherwise
KEEP_MS: Final = 86_400_000  # and is readable for a day more
QUOTA_MAX: Final = 1_000_000
REFUSAL_CHARS_MAX: Final = 500  # characters of the reason of a refused request that are recorded

AGENTS_MAX: Final = 5_000  # agents of a tenant, retired ones too
VERSIONS_MAX: Final = 1_000  # versions of one agent
DEFINITION_BYTES_MAX: Final = 64 * 1024
DEFINITION_BYTES_MIN: Final = 1_024  # a definition counts at least so much, so that their number is bounded too
DEFINITIONS_BYTES_MAX: Final = 64 * 1024 * 1024  # all definitions of a tenant together
SOURCES_MAX: Final = 100  # topics that an agent consumes, or produces into
CAPABILITIES_MAX: Final = 50
CAPABILITY_CHARS_MAX: Final = 500
LIMITS_MAX: Final = 20  # limits that a definition states
INSTANCES_MAX: Final = 100_000  # instances of one agent
CONCURRENCY_DEFAULT: Final = 16  # keys of a partition that an agent works on side by side
CONCURRENCY_MAX: Final = 1_000
DEPLOYMENTS_KEPT: Final = 20  # deployments of an agent that a roll back can go back over
RANGES_MAX: Final = 100  # key ranges of a deployment
KEY_CHARS_MAX: Final = 512
