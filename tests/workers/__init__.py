"""Remote workers: a scripted client that keeps the protocol, and what the home does with it."""
