"""Commands that show how a home or a cluster is, and its handlers: status, top, handler."""
