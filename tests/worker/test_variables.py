"""No handler sees a key of the API, of the database or of the secrets in the variables of its process."""

from aob.compose.worker.variables import passed_on, taken

OF_THE_API = ("AOB_API_KEY", "AOB_KEY", "AOB_API_KEYS", "AGENTFLOW_API_KEYS")
OF_A_HOME = (
    "AOB_STORE", "AOB_STORE_2", "AOB_STORE_READ", "AOB_STORE_2_READ", "AOB_STORE_PASSWORD", "AOB_MASTER_KEY",
    "AOB_MASTER_KEY_OLD", "AOB_SMTP_PASSWORD",
)  # fmt: skip
OTHERS = {"PATH": "/bin", "AOB_SECRET_SHOP": "s", "AOB_HOME": "h"}


def test_a_process_of_handlers_gets_none_of_them_and_one_of_built_in_kinds_those_of_its_home() -> None:
    env = {**dict.fromkeys((*OF_THE_API, *OF_A_HOME), "hidden"), **OTHERS}
    assert passed_on(env, home=False) == OTHERS
    assert passed_on(env, home=True) == {**dict.fromkeys(OF_A_HOME, "hidden"), **OTHERS}


def test_what_a_home_needs_is_read_once_and_not_there_for_handlers() -> None:
    env = {**dict.fromkeys(OF_A_HOME, "hidden"), **OTHERS}
    assert taken(env) == {**dict.fromkeys(OF_A_HOME, "hidden"), **OTHERS}
    assert env == OTHERS
