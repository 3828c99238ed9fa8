"""The form of an answer in words, for servers that hold to none, and what they answer to it."""

import json
import re

from msgspec.structs import replace

from toplu.engines.generation import Completion
from toplu.engines.prompt import Turn
from toplu.structured.structure import Structure

FENCED = re.compile(r"```(?:json|JSON)?[ \t]*\n(.*?)\n?```", re.DOTALL)


def add_form(turns: tuple[Turn, ...], structure: Structure | None) -> tuple[Turn, ...]:
    """Return the conversation with the form at its end."""
    assert structure is not None, "there is a form to write"
    text = f"\n\n{_words(structure)}"
    *before, last = turns
    if last.role != "user":
        return (*turns, Turn("user", text.strip()))
    content = (*last.parts, text) if last.images else last.text + text
    return (*before, replace(last, content=content))


def read_unheld(completion: Completion, structure: Structure | None) -> Completion:
    """Return the completion without what models put around an answer that nothing holds."""
    text = completion.text.strip()
    fenced = FENCED.fullmatch(text)
    text = text if fenced is None else fenced[1].strip()
    if structure is not None and structure.bare:
        text = text.strip("\"'")
    if text == completion.text:
        return completion
    # These are not the tokens of the text any more.
    return replace(completion, text=text, steps=())


def _words(structure: Structure) -> str:
    schema = json.dumps(structure.json_schema, ensure_ascii=False)
    if structure.bare:
        return (
            f"Answer with one of the values of this JSON Schema, and with nothing else:\n{schema}"
        )
    return f"Answer with JSON that this JSON Schema allows, and with nothing else:\n{schema}"
