"""All verbs of runs in one object: the API for the server, the in-process client and the views."""

from aob.runs import Core
from aob.runs.agent_keys import AgentKeys
from aob.runs.fleet import Fleet
from aob.runs.keys import Keys
from aob.runs.patches import Patches
from aob.runs.removal import Prunes
from aob.runs.replay.replays import Replays
from aob.runs.starts import Starts
from aob.runs.tickets import Tickets


class Engine(Starts, Patches, Tickets, Replays, Keys, Prunes, Fleet, AgentKeys):
    """Verbs over one core: workflows, starts, patches, tickets, replays, keys, removal,
    workers, keys of agents."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._by_start = {}
