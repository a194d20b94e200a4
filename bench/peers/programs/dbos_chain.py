"""Chains of five steps on DBOS: warms up, says `ready`, runs at each line on stdin, says how long it took."""

import sys
import time
from collections import deque

from dbos import DBOS

INPUTS = {"order_id": 17, "amount": 12.5, "customer": "abcdef", "items": [1, 2, 3]}
WIDTH = 100
url, count = sys.argv[1], int(sys.argv[2])
DBOS(config={"name": "bench", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"})


@DBOS.step()
def noop(value):
    """Gives back what it gets."""
    return value


@DBOS.workflow()
def chain(value):
    """Five steps."""
    for _ in range(5):
        value = noop(value)
    return value


def chains(count):
    """So many, some at a time."""
    under_way = deque()
    for _ in range(count):
        if len(under_way) == WIDTH:
            under_way.popleft().get_result()
        under_way.append(DBOS.start_workflow(chain, INPUTS))
    for each in under_way:
        each.get_result()


DBOS.launch()
chains(count // 10 + 1)
print("ready", flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    chains(count)
    print(time.perf_counter() - begun, flush=True)
DBOS.destroy()
