"""Every brain against the suite of the port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from aob.backends.pydantic_ai_model import PydanticAiModel
from aob.backends.recorded_model import RecordedModel, RecorderModel
from aob.backends.scripted_model import ScriptedModel
from aob.models import LIVE, ModelRouter
from aob.testing.conformance.model import Can, ModelSuite, Played, Scene
from tests.models.brains import script
from tests.models.provider import KEY, Provider


class TestScripted(ModelSuite):
    @asynccontextmanager
    async def play(self, scene: Scene) -> AsyncIterator[Played]:
        yield Played(ScriptedModel(scripts=[script(scene.turns)]), "script:play")


class TestScriptedByTheRouter(ModelSuite):
    @asynccontextmanager
    async def play(self, scene: Scene) -> AsyncIterator[Played]:
        brain = ScriptedModel(scripts=[script(scene.turns)])
        yield Played(ModelRouter({"script": brain}, default="script:play"), "script:play")


class TestRecorded(ModelSuite):
    can = frozenset()

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def play(self, scene: Scene) -> AsyncIterator[Played]:
        path = self.folder / "tape.jsonl"
        recorder = RecorderModel(ScriptedModel(scripts=[script(scene.turns)]), path, lambda: "2026-03-01")
        path.touch()
        for request in scene.requests:
            await recorder.ask(msgspec.structs.replace(request, model="script:play"))
        yield Played(RecordedModel(self.folder), "recorded:tape")


class LiveSuite(ModelSuite):
    """A provider's real client against a server on loopback that speaks its protocol."""

    name: str

    @pytest.fixture(autouse=True)
    def _keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("pydantic_ai")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)

    @asynccontextmanager
    async def play(self, scene: Scene) -> AsyncIterator[Played]:
        async with Provider(scene.turns) as provider:
            urls = {"openai-chat": provider.openai_url, "anthropic": provider.anthropic_url}
            async with PydanticAiModel(urls) as brain:
                yield Played(ModelRouter({LIVE: brain}), self.name)


class TestOpenAiChat(LiveSuite):
    name = "openai-chat:gpt-4o-mini"


class TestAnthropic(LiveSuite):
    name = "anthropic:claude-test"


def test_the_suite_lets_a_brain_say_what_it_cannot() -> None:
    assert Can.FAIL not in TestRecorded.can
