"""What holds for all tests: a property has no deadline, for a shared machine may pause at any time."""

from hypothesis import settings

settings.register_profile("aob", deadline=None)
settings.load_profile("aob")
