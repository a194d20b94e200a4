"""Implementations of the ports, one a module. Only `aob.compose` names them."""
