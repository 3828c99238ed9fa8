"""LangChain's OpenAI provider: `langchain_openai_chat.py URL` prints its answers as JSON."""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

SERVER = {"base_url": f"{sys.argv[1]}/openai/v1", "api_key": "any"}


class City(BaseModel):
    name: str
    big: bool


@tool
def weather(city: str) -> str:
    """Return the weather of a city."""
    return city


model = ChatOpenAI(model="gemini-2.5-flash", temperature=0, **SERVER)
# It would send tokens of OpenAI's own vocabulary.
embedder = OpenAIEmbeddings(
    model="gemini-embedding-001", check_embedding_ctx_length=False, **SERVER
)
answer = model.invoke("one two three")
city = model.with_structured_output(City, method="json_schema").invoke("x")
calls = model.bind_tools([weather], tool_choice="required").invoke("x").tool_calls
print(
    json.dumps(
        {
            "text": answer.content,
            "tokens": [answer.usage_metadata[f"{side}_tokens"] for side in ("input", "output")],
            "streamed": "".join(piece.content for piece in model.stream("four five six")),
            "object": city.model_dump(),
            "calls": [[call["name"], list(call["args"])] for call in calls],
            "dimensions": [len(vector) for vector in embedder.embed_documents(["a", "b"])],
        }
    )
)
