"""LangChain's Google provider: `langchain_google.py URL` prints what it was answered as JSON."""

import json
import sys

from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings
from pydantic import BaseModel

SERVER = {"base_url": sys.argv[1], "google_api_key": "any"}


class City(BaseModel):
    name: str
    big: bool


@tool
def weather(city: str) -> str:
    """Return the weather of a city."""
    return city


model = ChatGoogleGenerativeAI(model="gemini-2.5-flash", temperature=0, **SERVER)
embedder = GoogleGenerativeAIEmbeddings(model="gemini-embedding-001", **SERVER)
answer = model.invoke("one two three")
city = model.with_structured_output(City, method="json_schema").invoke("x")
calls = model.bind_tools([weather], tool_choice="any").invoke("x").tool_calls
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
