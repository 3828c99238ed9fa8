"""Writes the bodies of requests to a remote chat server.

Nothing is left to its defaults where it can be set: vLLM, for one, would take them from the
model's own files. A field that a server does not know it ignores, but for OpenAI's own.
"""

from typing import Any

from toplu.engines.calls import Functions
from toplu.engines.chat.fields import write_logprobs, write_sampling
from toplu.engines.chat.messages import write_messages
from toplu.engines.chat.tools import write_dialogue, write_tools
from toplu.engines.functions.text_format import write_turns
from toplu.engines.openai.call_list import list_schema
from toplu.engines.openai.form_in_prompt import add_form
from toplu.engines.openai.relaxed_schema import relaxed
from toplu.engines.openai.ways import Calls, Form, Way
from toplu.engines.prompt import Prompt, Thinking, Turn
from toplu.engines.translation.answer_grammar import grammar_of
from toplu.settings.remote import RemoteSettings
from toplu.structured.response_format import FREE

SEED_MAX = 2**31 - 1  # some servers keep a seed in so many bits
NO_LIMIT = -1  # of top_k


def write_body(
    prompt: Prompt, model: str, seed: int, remote: RemoteSettings, way: Way
) -> dict[str, Any]:
    """Return the body of a request for one candidate."""
    sampling = prompt.sampling
    turns = add_form(prompt.turns, prompt.structure) if way.form_in_prompt else prompt.turns
    body = {
        "model": model,
        **write_conversation(turns, prompt.functions, way.calls),
        "seed": seed % SEED_MAX,
        **write_sampling(sampling),
        **({"stop": sampling.stop_sequences} if sampling.stop_sequences else {}),
        **write_logprobs(prompt.top_logprobs),
        **_form(prompt, remote, way),
    }
    if not remote.only_openai_fields:
        body |= {
            "top_k": sampling.top_k or NO_LIMIT,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "repeat_penalty": 1.0,  # the same for llama.cpp
            **_thinking(prompt.thinking),
        }
    return body


def write_conversation(
    turns: tuple[Turn, ...], functions: Functions | None, calls: Calls
) -> dict[str, Any]:
    """Return the messages, and the functions that the model may call."""
    if calls is not Calls.TOOLS:
        return {"messages": write_messages(write_turns(turns, functions))}
    tools = {} if functions is None else write_tools(functions)
    return {"messages": write_dialogue(turns), **tools}


def write_stream_options(remote: RemoteSettings) -> dict[str, Any]:
    """Return what makes the answer a stream, with token counts at its end."""
    if remote.only_openai_fields:
        return {"stream": True, "stream_options": {"include_usage": True}}
    return {
        "stream": True,
        # So that a listener knows how long the prompt is: vLLM's and SGLang's way, llama.cpp's.
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "return_progress": True,
    }


def _thinking(thinking: Thinking | None) -> dict[str, Any]:
    if thinking is None:
        return {}
    fields: dict[str, Any] = {
        "chat_template_kwargs": {"enable_thinking": thinking.tokens_max != 0},
        "reasoning_format": "deepseek",  # llama.cpp's word for thoughts apart from the text
        "timings_per_token": True,  # and its way to mark where they end
    }
    if thinking.tokens_max:
        # vLLM's word, and llama.cpp's.
        fields |= {
            "thinking_token_budget": thinking.tokens_max,
            "reasoning_budget_tokens": thinking.tokens_max,
        }
    return fields


def _form(prompt: Prompt, remote: RemoteSettings, way: Way) -> dict[str, Any]:
    """Return what the server is to hold the answer to."""
    if way.form is Form.GRAMMAR:
        grammar = grammar_of(prompt)
        return {} if grammar is None else {"grammar": grammar}
    if way.calls is Calls.LISTED and prompt.functions is not None:
        return _response_format(list_schema(prompt.functions), remote)
    if way.form is Form.FREE or prompt.structure is None:
        return {}
    if way.form is Form.RELAXED:
        return _response_format(relaxed(prompt.structure), remote)
    if prompt.structure.json_schema == FREE:
        return {"response_format": {"type": "json_object"}}
    return _response_format(prompt.structure.json_schema, remote)


def _response_format(schema: Any, remote: RemoteSettings) -> dict[str, Any]:
    # OpenAI's own strict mode refuses most schemas; what comes without it is proved all the same.
    is_strict = not remote.only_openai_fields
    form = {"name": "answer", "strict": is_strict, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": form}}
