"""`aob demo`: a folder in, the main job told on the terminal out, and a home that can be looked at afterwards."""

from aob.cli.demo.curtain import demo

__all__ = ["demo"]
