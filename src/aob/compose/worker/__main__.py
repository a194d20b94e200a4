"""`python -m aob.compose.worker FD`: one worker process."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # what imports make lives on: to look through it costs a tenth of a start; the loop takes it up again
    from aob.compose.worker.child import main

    main(sys.argv)
