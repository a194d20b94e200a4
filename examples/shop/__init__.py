"""A shop that sends events, its contracts, and the workflow that looks after its refunds."""
