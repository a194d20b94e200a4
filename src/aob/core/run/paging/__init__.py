"""A run in, one page of bytes out, and back: what its events say, without reading them again."""

from aob.core.run.paging.page import decode_run, encode_run

__all__ = ["decode_run", "encode_run"]
