"""`python -m aob.compose.shards FD`: an owner process. Started by the main process of a home, never by hand."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # what imports make lives on: to look through it costs a tenth of a start; the loop takes it up again
    from aob.compose.shards.owner import main

    main(sys.argv)
