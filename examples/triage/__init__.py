"""`aob demo --org`: an organisation of agents at the front desk of a library, told on the terminal or as JSON lines."""

from triage.main import demo

__all__ = ["demo"]
