"""Ports in memory: the reference for every other backend. Lost when the process ends."""
