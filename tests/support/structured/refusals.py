"""Forms of an answer that are refused when the prompt is read."""

from typing import Any

import pytest

from toplu.engines.translation.prompt import read_prompt
from toplu.errors import InvalidArgument
from toplu.settings.server import ModelSettings
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerateContentRequest

MODEL = ModelSettings(name="echo", engine="echo")


def refusal_of(config: dict[str, Any]) -> InvalidArgument:
    request = {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": config}
    with pytest.raises(InvalidArgument) as caught:
        read_prompt(proto_json.read_value(GenerateContentRequest, request), MODEL)
    return caught.value
