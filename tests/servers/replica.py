"""A real streaming replica of a Postgres server, made by pg_basebackup: a hot standby that may lag as long as it is
wanted."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.servers.postgres import BrokenServerError, Server, account, binaries

STREAMS: Final = {"wal_level": "replica", "max_wal_senders": "4", "wal_keep_size": "256MB"}
"""What a server needs that has replicas."""


class Standby(Server):
    """A hot standby of `primary`, which is started with `STREAMS`."""

    def __init__(self, folder: Path, primary: Server) -> None:
        super().__init__(folder, STREAMS)
        self._primary, self.password = primary, primary.password

    def make(self) -> None:
        """Copy the primary while it runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        own = account()
        if os.geteuid() == 0:
            os.chown(self.folder, own.user, own.group)
        words = [str(binaries() / "pg_basebackup"), "-D", str(self.data), "-R", "-X", "stream", "-c", "fast",
                 "--no-sync", "-d", self._primary.url]  # fmt: skip
        done = own.begin(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder)
        said, _ = done.communicate()
        if done.returncode:
            raise BrokenServerError(f"pg_basebackup failed: {said.decode(errors='replace')[-500:]}")

    def run(self, text: str) -> Any:
        """What the standby answers its owner."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as owner:
            row = owner.execute(text.encode()).fetchone()
            return row[0] if row else None

    def caught_up(self) -> None:
        """Waits until it has all that the primary has now."""
        import psycopg

        with psycopg.connect(self._primary.url, autocommit=True) as owner:
            ((at,),) = owner.execute("select pg_current_wal_flush_lsn()").fetchall()
        while not self.run(f"select pg_last_wal_replay_lsn() >= '{at}'::pg_lsn"):
            pass


@contextlib.contextmanager
def standby(primary: Server) -> Iterator[Standby]:
    """A standby that is ready to be read."""
    one = Standby(Path(tempfile.mkdtemp(prefix="aob-pg-standby-")), primary)
    try:
        one.make()
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(one.folder, ignore_errors=True)
