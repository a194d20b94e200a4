"""`python -m aob.cli` is `aob`."""

import sys

from aob.cli import main

if __name__ == "__main__":
    sys.exit(main())
