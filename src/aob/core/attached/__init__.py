"""What is attached to a process of a home: workers, what waits for them, and who asks it for others."""

from aob.core.attached.shapes import AttachedWorker, FrontStatus, QueueStatus

__all__ = ["AttachedWorker", "FrontStatus", "QueueStatus"]
