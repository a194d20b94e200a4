"""A process that puts checkpoints and writes into a file, and says on stdout what was acknowledged, until it is killed:
`python killed.py FILE`."""

import sys
from typing import Any

from aob.langgraph import AobSaver
from tests.langgraph.both import config, made


def main(path: str) -> None:
    """Threads in turn; each checkpoint has a list of as many items as its number, and a write."""
    saver = AobSaver.open(f"sqlite:///{path}", keep=5)
    parents: dict[str, str] = {}
    for count in range(1, 10_000):
        for thread in ("a", "b"):
            checkpoint = made({"list": [f"{thread} {n} " * 30 for n in range(count % 90)]}, {"list": count})
            about: Any = {"step": count}
            saver.put(config(thread, parents.get(thread, "")), checkpoint, about, {"list": count})
            parents[thread] = checkpoint["id"]
            print(f"put {thread} {checkpoint['id']} {count}", flush=True)
            saver.put_writes(config(thread, checkpoint["id"]), [("list", [f"{thread} {count} " * 30])], "task")
            print(f"write {thread} {checkpoint['id']} {count}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
