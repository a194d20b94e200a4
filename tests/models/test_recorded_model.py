"""Recordings: exchanges are found by what was asked, labelled with who really answered, and never guessed."""

from pathlib import Path

import msgspec
import pytest

from aob.backends.recorded_model import RecordedModel, RecorderModel
from aob.backends.scripted_model import ScriptedModel
from aob.core.errors import Invalid, NotFound
from aob.ports.model import Brain, Message, ModelAnswer, ModelRequest, Usage
from aob.testing.conformance.model import Turn
from tests.models.brains import script


class Provider:
    """Stands for a live model."""

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        brain = Brain("live", f"live {request.model}", request.model)
        return ModelAnswer(brain, {"risk": 0.5}, text='{"risk":0.5}', usage=Usage(100, 20, 0.01))


def request(text: str = "how risky", model: str = "recorded:tape") -> ModelRequest:
    return ModelRequest(model, (Message("user", text),))


async def record(folder: Path, *texts: str) -> None:
    recorder = RecorderModel(Provider(), folder / "tape.jsonl", lambda: "2026-03-01")
    for text in texts:
        await recorder.ask(request(text, "openai:gpt-5"))


async def test_a_recorded_exchange_is_played_back_with_its_date_and_model(tmp_path: Path) -> None:
    await record(tmp_path, "how risky")
    answer = await RecordedModel(tmp_path).ask(request())
    assert answer.output == {"risk": 0.5}
    assert answer.brain == Brain("recorded", "recorded on 2026-03-01 with openai:gpt-5", "openai:gpt-5", "2026-03-01")


async def test_playing_back_costs_nothing_and_still_says_how_many_tokens_it_was(tmp_path: Path) -> None:
    await record(tmp_path, "how risky")
    assert (await RecordedModel(tmp_path).ask(request())).usage == Usage(100, 20, 0.0)


async def test_a_recording_of_a_script_says_so(tmp_path: Path) -> None:
    scripted = ScriptedModel(scripts=[script([Turn(output={"risk": 1})])])
    recorder = RecorderModel(scripted, tmp_path / "tape.jsonl", lambda: "2026-03-01")
    await recorder.ask(request(model="script:play"))
    answer = await RecordedModel(tmp_path).ask(request())
    assert answer.brain.label == "recorded on 2026-03-01 with script:play (scripted)"


async def test_a_miss_is_an_error(tmp_path: Path) -> None:
    await record(tmp_path, "how risky")
    with pytest.raises(NotFound) as caught:
        await RecordedModel(tmp_path).ask(request("how risky is it?"))
    assert caught.value.code == "model_no_answer"


async def test_a_miss_goes_to_the_script_when_there_is_one_and_is_then_marked_scripted(tmp_path: Path) -> None:
    await record(tmp_path, "how risky")
    fallback = ScriptedModel(scripts=[script([Turn(text="I only know rules")], "tape")])

    class Renamed:
        async def ask(self, asked: ModelRequest) -> ModelAnswer:
            return await fallback.ask(msgspec.structs.replace(asked, model="script:tape"))

    model = RecordedModel(tmp_path, Renamed())
    assert (await model.ask(request())).brain.kind == "recorded"
    assert (await model.ask(request("something else"))).brain.kind == "scripted"


async def test_the_last_recording_of_a_request_counts(tmp_path: Path) -> None:
    await record(tmp_path, "how risky")
    line = (tmp_path / "tape.jsonl").read_text()
    (tmp_path / "tape.jsonl").write_text(line + line.replace("0.5", "0.75").replace('{\\"risk\\":0.5}', "x"))
    assert (await RecordedModel(tmp_path).ask(request())).output == {"risk": 0.75}


async def test_a_broken_line_is_named(tmp_path: Path) -> None:
    await record(tmp_path, "how risky")
    with (tmp_path / "tape.jsonl").open("a") as file:
        file.write("\nnot json\n")
    with pytest.raises(Invalid) as caught:
        await RecordedModel(tmp_path).ask(request())
    assert caught.value.problems[0].line == 3


async def test_errors_are_not_recorded(tmp_path: Path) -> None:
    scripted = ScriptedModel(scripts=[script([])])
    recorder = RecorderModel(scripted, tmp_path / "tape.jsonl", lambda: "2026-03-01")
    with pytest.raises(NotFound):
        await recorder.ask(request(model="script:play"))
    assert not (tmp_path / "tape.jsonl").exists()


@pytest.mark.parametrize("name", ["../tape", "", "tape.jsonl", "none"])
async def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    await record(tmp_path, "how risky")
    (tmp_path / "in").mkdir()
    with pytest.raises(NotFound) as caught:
        await RecordedModel(tmp_path / "in").ask(request(model=f"recorded:{name}"))
    assert caught.value.code == "model_unknown"
