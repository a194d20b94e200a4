"""What ships with the platform is what its sources say."""

import pytest

from aob.core.contract import check_set
from aob.metrics.alerting import platform_alerts
from aob.metrics.contracts import joined
from aob.metrics.platform import platform_contracts
from tools.make_schema import SHIPPED, shipped


@pytest.mark.parametrize("name", SHIPPED)
def test_the_json_is_made_of_the_yaml_beside_it(name: str) -> None:
    path, text = shipped(name)
    assert path.read_text(encoding="utf-8") == text, "python -m tools.make_schema"


def test_the_platforms_contracts_fit_together() -> None:
    assert check_set(joined(platform_contracts(), platform_alerts())) == []
