"""The specification's examples of structured output: recipes, through both official packages.

The model answers briefly here and is cut off in its lists; what it has said so far must be the
beginning of a list of recipes, and what it has finished must be one.
"""

import json
import re
from typing import Any

import pytest

from support.specification.batches import Batches
from support.specification.examples import Examples, given, texts_of

pytestmark = pytest.mark.model


def check(results: list[dict[str, Any]], name: str, required: set[str]) -> None:
    """Check that the answers are lists of recipes, or the beginnings of such."""
    texts = texts_of(results)
    assert len(texts) == 2
    for result, text in zip(results, texts, strict=True):
        if result["response"]["candidates"][0]["finishReason"] == "STOP":
            recipes = json.loads(text)
            assert isinstance(recipes, list)
            for recipe in recipes:
                assert required <= recipe.keys() <= {name, "ingredients"}
                assert isinstance(recipe[name], str)
                assert all(isinstance(each, str) for each in recipe.get("ingredients", []))
        else:
            assert result["response"]["candidates"][0]["finishReason"] == "MAX_TOKENS"
            assert re.match(rf'\[\{{"{name}":\s?"', text), text


def test_recipes_are_a_list_of_the_pydantic_model(python: Examples, batches: Batches) -> None:
    finished = python.run("structured_output")
    assert "Job finished with state: JOB_STATE_SUCCEEDED\n" in finished.stdout
    operation = batches.get(finished.find(r"^Polling status for job: (batches/[a-z0-9]+)\n"))
    assert operation["metadata"]["displayName"] == "structured-output-job-1"
    results = operation["response"]["inlinedResponses"]["inlinedResponses"]
    check(results, "recipe_name", {"recipe_name", "ingredients"})
    first, second = texts_of(results)
    printed = finished.stdout.partition("\n--- Response 1 ---\n")[2]
    assert printed == f"{first}\n\n--- Response 2 ---\n{second}\n"


def test_recipes_have_the_properties_of_the_schema(javascript: Examples, batches: Batches) -> None:
    finished = javascript.run("structured_output", given("console.log(inlinedBatchJob.name);"))
    operation = batches.finished(finished.find(r"^(batches/[a-z0-9]+)\n$"))
    results = operation["response"]["inlinedResponses"]["inlinedResponses"]
    check(results, "recipeName", {"recipeName"})
