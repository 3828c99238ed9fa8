"""Events of OpenAI's API, as its SDKs unwrap them."""

from toplu.wire.openai.message import Message


class EventData(Message, frozen=True, kw_only=True):
    """The batch that an event is about."""

    id: str


class Event(Message, frozen=True, kw_only=True):
    """The body of a delivery."""

    id: str
    object: str = "event"
    type: str
    created_at: int
    data: EventData
