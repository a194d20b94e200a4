"""The alerts on platform metrics that every tenant has, read from the package."""

from functools import cache
from pathlib import Path
from typing import Final

from aob.core.contract import read_contracts
from aob.core.contract_model import ContractSet

FILE: Final = "platform.json"  # made from `platform.yaml` by `python -m tools.make_schema`


@cache
def platform_alerts() -> ContractSet:
    """The contracts that ship with the platform; their metrics are in `aob.metrics.platform`."""
    return read_contracts({FILE: Path(__file__).with_name(FILE).read_text(encoding="utf-8")})
