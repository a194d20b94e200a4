"""`python -m aob.compose.worker FD`: one worker process."""

import sys

from aob.compose.worker.child import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
