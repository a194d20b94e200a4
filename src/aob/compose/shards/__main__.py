"""`python -m aob.compose.shards FD`: an owner process. Started by the main process of a home, never by hand."""

import sys

from aob.compose.shards.owner import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
