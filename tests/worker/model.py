"""A server of the worker protocol as spec/worker.proto describes it, without a home."""

import random
from collections import deque

from aob.rpc import worker_pb2 as pb

Key = tuple[str, str, int]


class Home:
    """`leased` are attempts without a committed answer; `asked` the settled intents of each."""

    def __init__(self) -> None:
        self.leased: dict[Key, pb.Job] = {}
        self.answers: dict[Key, list[str]] = {}
        self.results: dict[Key, pb.WorkerItem] = {}
        self.asked: dict[Key, set[int]] = {}
        self.granted: dict[tuple[Key, str, bytes, int], int] = {}
        self.lines: list[pb.Log] = []
        self.beats: list[pb.Beat] = []
        self.hellos: list[pb.Hello] = []
        self.drains = False
        self.visits = 0
        self.never_came: list[pb.Job] = []
        self.anew()

    def anew(self) -> None:
        """A new stream: what was under way is lost."""
        self.credit = 0
        self.to_worker: deque[pb.ServerItem] = deque()
        self.from_worker: deque[pb.WorkerItem] = deque()

    def give(self, **more: object) -> Key | None:
        """A new job, when the worker has asked for one."""
        if self.credit <= 0:
            return None
        self.visits += 1
        job = pb.Job(run="r", visit=f"v{self.visits}", attempt=1)
        for name, value in more.items():
            setattr(job, name, value)
        return self.send_job(job)

    def send_job(self, job: pb.Job) -> Key:
        self.credit -= 1
        key = job.run, job.visit, job.attempt
        self.leased[key] = job
        self.to_worker.append(pb.ServerItem(job=job))
        return key

    def cancel(self, dice: random.Random) -> None:
        if self.leased:
            run, visit, attempt = dice.choice(list(self.leased))
            self.to_worker.append(pb.ServerItem(cancel=pb.Cancel(run=run, visit=visit, attempt=attempt)))

    def takes(self, item: pb.WorkerItem) -> None:
        """An item of the worker."""
        kind = item.WhichOneof("item")
        told = getattr(item, kind or "hello")
        if kind == "hello":
            self._greets(told)
        elif kind == "want":
            self.credit += told.jobs
            self._again()
        elif kind == "draining":
            self.drains, self.credit = True, 0
        elif kind == "log":
            self.lines.append(told)
        elif kind in ("done", "fail", "decline"):
            self._answered(kind, item, (told.run, told.visit, told.attempt))
        elif kind == "beat" and not told.ask:
            self.beats.append(told)
        else:
            self._answers_request(kind or "", told, (told.run, told.visit, told.attempt))

    def _answered(self, kind: str, item: pb.WorkerItem, key: Key) -> None:
        if self.leased.pop(key, None) is not None:
            self.answers.setdefault(key, []).append(kind)
            self.results[key] = item
        self.to_worker.append(pb.ServerItem(ack=pb.Ack(run=key[0], visit=key[1], attempt=key[2])))

    def _answers_request(self, kind: str, told: object, key: Key) -> None:
        name = {"run": key[0], "visit": key[1], "attempt": key[2], "ask": told.ask}  # type: ignore[attr-defined]
        if key not in self.leased:
            refused = pb.Refused(**name, code="token_gone", message="gone")
            self.to_worker.append(pb.ServerItem(refused=refused))
        elif kind == "settle":
            self.asked.setdefault(key, set()).add(told.number)  # type: ignore[attr-defined]
            self.to_worker.append(pb.ServerItem(recorded=pb.Recorded(**name)))
        elif kind == "intend":
            which = key, told.kind, told.what, told.count  # type: ignore[attr-defined]
            number = self.granted.setdefault(which, len(self.granted) + 1)
            self.to_worker.append(pb.ServerItem(granted=pb.Granted(**name, number=number)))
        elif kind == "beat":
            self.to_worker.append(pb.ServerItem(recorded=pb.Recorded(**name)))
        else:
            self.to_worker.append(pb.ServerItem(answer=pb.Answer(**name, value=b'{"state":"applied"}')))

    def _greets(self, hello: pb.Hello) -> None:
        self.hellos.append(hello)
        welcome = pb.Welcome(protocol=1, lease_ms=30_000, beat_ms=1_000, bytes_max=4 << 20, value_max=1 << 20)
        self.to_worker.append(pb.ServerItem(welcome=welcome))
        here = {(held.run, held.visit, held.attempt) for held in hello.held}
        for run, visit, attempt in sorted(here):
            name = {"run": run, "visit": visit, "attempt": attempt}
            kept = (run, visit, attempt) in self.leased
            self.to_worker.append(pb.ServerItem(keep=pb.Keep(**name)) if kept else pb.ServerItem(drop=pb.Drop(**name)))
        self.never_came = [job for key, job in self.leased.items() if key not in here]

    def open(self, drains: bool) -> int:
        """Jobs without an answer; one that a draining worker never received goes to another."""
        return len(self.leased) - (len(self.never_came) if drains else 0)

    def _again(self) -> None:
        """What the same incarnation does not list, it never received."""
        while self.credit > 0 and self.never_came:
            self.send_job(self.never_came.pop())
