"""The router: the scheme of a name chooses the brain; number and time of asks are bounded."""

import asyncio

import pytest

from aob.core.errors import NotFound, Unavailable
from aob.models import LIVE, ModelRouter
from aob.ports.model import Brain, Message, ModelAnswer, ModelRequest


class Echo:
    """Answers with its own name and that of the model it was asked for; waits for `gate`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = asyncio.Event()
        self.gate.set()
        self.inside = self.most = 0
        self.full = asyncio.Event()

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.full.set()
        await self.gate.wait()
        self.inside -= 1
        return ModelAnswer(Brain("scripted", "scripted", request.model), text=self.name)


def request(model: str) -> ModelRequest:
    return ModelRequest(model, (Message("user", "hi"),))


async def test_the_scheme_chooses_the_brain() -> None:
    router = ModelRouter({"script": Echo("s"), "recorded": Echo("r"), LIVE: Echo("l")})
    names = ("script:a", "recorded:b", "openai:gpt-5")
    assert [(await router.ask(request(name))).text for name in names] == ["s", "r", "l"]


async def test_no_name_means_the_default_of_the_home() -> None:
    router = ModelRouter({"script": Echo("s")}, default="script:house")
    assert (await router.ask(request(""))).brain.model == "script:house"


@pytest.mark.parametrize("name", ["", "gpt-5", "openai:gpt-5", "script:", ":x"])
async def test_a_name_that_leads_nowhere_is_unknown(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        await ModelRouter({"script": Echo("s")}).ask(request(name))
    assert caught.value.code == "model_unknown"


async def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    brain = Echo("s")
    brain.gate.clear()
    with pytest.raises(Unavailable) as caught:
        await ModelRouter({"script": brain}, ask_s=0.01).ask(request("script:a"))
    assert caught.value.fields["kind"] == "timeout"


async def test_only_so_many_asks_are_under_way_and_the_others_wait() -> None:
    brain = Echo("s")
    brain.gate.clear()
    router = ModelRouter({"script": brain}, asks_max=2)
    asking = [asyncio.create_task(router.ask(request("script:a"))) for _ in range(5)]
    await brain.full.wait()
    brain.gate.set()
    async with asyncio.timeout(60):
        await asyncio.gather(*asking)
    assert brain.most == 2
