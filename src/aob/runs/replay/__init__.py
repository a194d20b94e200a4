"""Past runs again: what they recorded in, a shadow that touches nothing or a new run from one of their nodes out."""
