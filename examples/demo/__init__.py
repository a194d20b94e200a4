"""`aob demo`: a folder in, the main job told on the terminal out, and a home that can be looked at afterwards."""

from demo.main import demo

__all__ = ["demo"]
