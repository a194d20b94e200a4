"""A file or database that holds threads of graphs: URL → the door to them, owned until left."""

from aob.compose.alone.opening import alone

__all__ = ["alone"]
