"""The modules of gRPC messages are what protoc makes of spec/*.proto."""

from pathlib import Path

from tools.make_rpc import MADE, PROTOS, make


def test_the_messages_are_those_of_the_protos(tmp_path: Path) -> None:
    make(tmp_path)
    for proto in PROTOS:
        for suffix in ("_pb2.py", "_pb2.pyi"):
            name = proto.removesuffix(".proto") + suffix
            assert (MADE / name).read_text() == (tmp_path / name).read_text(), "run python -m tools.make_rpc"
