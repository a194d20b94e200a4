"""The outside, behind ports: each module implements one. Only `aob.compose` names them."""
