"""Every setting does something that the world sees: two homes that differ in it alone are told apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from aob.compose.settings import SMTP_PASSWORD, VARIABLES, Egress, Models, Notify, Patching, Settings, read_settings
from aob.core.errors import Invalid
from aob.core.policy.effect import Free
from aob.work.tools import Smtp, StoreSettings
from tests.sweep import settings
from tests.sweep.frame import CASES, told_apart

PARTS = {
    "settings": Settings, "egress": Egress, "patches": Patching, "free": Free, "models": Models, "notify": Notify,
    "smtp": Smtp, "store": StoreSettings,
}  # fmt: skip
TABLES = {("settings", name) for name in ("egress", "patches", "models", "notify", "smtp", "stores")}
"""Those whose fields stand for themselves."""


def every() -> Iterator[tuple[str, str]]:
    for part, struct in PARTS.items():
        yield from ((part, field.encode_name) for field in msgspec.structs.fields(struct))


def test_every_setting_has_an_observer() -> None:
    assert set(every()) - TABLES == {case for case in CASES if CASES[case].observe.__module__ == settings.__name__}


@pytest.mark.parametrize(("part", "field"), sorted(set(every()) - TABLES))
async def test_a_setting_is_seen_by_the_world(part: str, field: str, tmp_path: Path) -> None:
    await told_apart(part, field, tmp_path)


SAID: Final = {
    "processes": ("", "one", "shard"),
    "host": ("127.0.0.1", "127.0.0.2", "127.0.0.3"), "port": (1, 2, 3), "log_level": ("info", "warning", "error"),
    "public_url": ("https://a.example", "https://b.example", "https://c.example"), "cache": ("", "off", "memory:"),
    "store": ("", "sqlite:", "memory:"), "blobs": ("", "file:", "memory:"), "log": ("", "sqlite:", "memory:"),
    "rate_limit_rpm": (1, 2, 3), "tenant_rate_limit_rpm": (1, 2, 3), "certs": ("a", "b", "c"),
    "lease_s": (2.5, 3.0, 4.5), "kinds_without_worker": ("here", "wait", "here"),
    "grpc_port": (1, 2, 3), "grpc_cert": ("a", "b", "c"), "grpc_key": ("a", "b", "c"),
}  # fmt: skip
"""By setting what the file, the environment and an option say."""


@pytest.mark.parametrize(("variable", "name"), sorted(VARIABLES.items()))
def test_a_variable_counts_over_the_file_and_an_option_over_both(variable: str, name: str, tmp_path: Path) -> None:
    file, env, option = SAID[name]
    (tmp_path / "aob.toml").write_text(f"{name} = {msgspec.json.encode(file).decode()}")
    assert getattr(read_settings(tmp_path, {}), name) == file
    assert getattr(read_settings(tmp_path, {variable: str(env)}), name) == env
    assert getattr(read_settings(tmp_path, {variable: str(env)}, **{name: option}), name) == option


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("concurrency = 0", "concurrency"),
        ("port = 70000", "port"),
        ('store = "sqlite:///elsewhere.db"', "AOB_STORE"),
        ('blobs = "file:///elsewhere"', "AOB_BLOBS"),
        ("rate_limit_rpm = -1", "rate_limit_rpm"),
        ('log_level = "loud"', "log_level"),
        ("[patches]\nagents_max = -1", "agents_max"),
        ('[patches]\nforbidden_kinds = ["htp"]', "forbidden_kinds"),
        ('[patches]\ntrusted_kinds = ["human"]', "trusted_kinds"),
        ('[patches]\nfree = [{kind = "htp"}]', "free"),
        ('[smtp]\nhost = "a"\nsecrity = "tls"', "secrity"),
        ('[stores.a]\nurl = "memory:///"\nper_tenent = false', "per_tenent"),
        ('[stores.a]\nurl = "memory:///"\n[notify]\ntarget = {}', "target"),
    ],
)
def test_what_no_reader_would_heed_is_refused_with_its_place(text: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "aob.toml").write_text(text)
    with pytest.raises(Invalid) as refused:
        read_settings(tmp_path, {})
    assert place in f"{refused.value.problems}"


def test_the_password_of_the_mail_server_comes_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "aob.toml").write_text('[smtp]\nhost = "mail.example"')
    smtp = read_settings(tmp_path, {SMTP_PASSWORD: "from-outside"}).smtp
    assert smtp is not None
    assert smtp.password == "from-outside"
