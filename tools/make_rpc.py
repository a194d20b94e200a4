"""Make the modules of gRPC messages, src/aob/rpc/*_pb2.py and .pyi, from spec/*.proto: `python -m tools.make_rpc`.

They are compared with what protoc makes of the same files by tests/house/test_rpc.py."""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PROTOS: Final = ("worker.proto", "aob.proto")
MADE: Final = ROOT / "src" / "aob" / "rpc"


def make(target: Path) -> None:
    """Make the modules of all protos in a folder."""
    from grpc_tools import protoc

    spec = ROOT / "spec"
    told = protoc.main(["protoc", f"-I{spec}", f"--python_out={target}", f"--pyi_out={target}", *PROTOS])
    if told:
        sys.exit(f"protoc ends with {told}")


if __name__ == "__main__":
    make(MADE)
