"""`python -m tests.sim.agents SEED [COUNT]`: the world of a seed with its trace, or the broken ones of many."""

import sys
from collections import Counter

import structlog

from aob.testing.world.__main__ import silent
from tests.sim.agents.world import simulate_agents


def main(arguments: list[str]) -> int:
    """Print the results of the worlds; 1 when a rule was broken in one."""
    structlog.configure(processors=[silent])
    first, count = int(arguments[0]) if arguments else 1, int(arguments[1]) if len(arguments) > 1 else 1
    worst, sums = 0, Counter[str]()
    for seed in range(first, first + count):
        world = simulate_agents(seed)
        sums += world.met + world.deeds.met + Counter(world.rules.seen)
        worst |= bool(world.wrong)
        if count == 1:
            print("\n".join(world.trace))
        if world.wrong or count == 1:
            print(f"seed {seed}: {world.wrong or 'every rule held'}")
    print(dict(sums))
    return worst


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
