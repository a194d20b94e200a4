"""`python -m triage PORT`: the books by themselves, for an organisation that is run by hand; they print a line for each
booking. The platform is that of `AOB_HOME`."""

import asyncio
import os
import sys
from pathlib import Path

from aob.client import AsyncClient, find_place
from triage.agents import LEDGER
from triage.ledger import Ledger, serving


async def main(port: int) -> None:
    """Serve until Ctrl-C."""
    place = find_place(Path(os.environ.get("AOB_HOME", "home")))
    ledger = Ledger()
    async with serving(ledger, port), AsyncClient(place.url, place.key) as client:
        telling = asyncio.create_task(ledger.tell(client))
        print(f"{LEDGER}={ledger.url}", flush=True)
        for count in range(1, sys.maxsize):
            await ledger.until(count)
            print(list(ledger.bookings.values())[count - 1], flush=True)
        await telling


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
