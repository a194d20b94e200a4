"""Ports in memory: the reference that every other backend is held to. Gone with the process."""
