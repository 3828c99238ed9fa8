"""Webhooks: endpoints that clients register, and the events of batches as SDKs unwrap them."""

from typing import Literal

from toplu.wire.openai.message import UNSET, Message, Unset


class NewEndpoint(Message, frozen=True, kw_only=True):
    """The body of the call that registers an endpoint."""

    name: str
    url: str
    event_types: list[str]


class EndpointChanges(Message, frozen=True, kw_only=True):
    """The body of the call that changes one; what is left out stays."""

    name: str | Unset = UNSET
    url: str | Unset = UNSET
    event_types: list[str] | Unset = UNSET


class Rotation(Message, frozen=True, kw_only=True):
    """The body of the call for a new secret."""

    keep_old_secret_active_for_24_hours: bool = False


class EndpointTest(Message, frozen=True, kw_only=True):
    """The body of the call that tries an endpoint."""

    event_type: str


class TestedEndpoint(Message, frozen=True, kw_only=True):
    """The answer of an endpoint that was tried."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    event_type: str
    status_code: int
    success: Literal[True] = True
    webhook_endpoint_id: str


class Endpoint(Message, frozen=True, kw_only=True):
    """An endpoint; its secret is in the answers alone that made one."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    name: str
    url: str
    event_types: list[str]
    created_at: int
    updated_at: int
    signing_secret: str | Unset = UNSET
    signing_secret_hint: str | None


class EndpointPage(Message, frozen=True, kw_only=True):
    """Some of the endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[Endpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedEndpoint(Message, frozen=True, kw_only=True):
    """An endpoint that is gone."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: bool = True


class EventTypes(Message, frozen=True, kw_only=True):
    """The events that there are."""

    object: Literal["list"] = "list"
    data: list[str]


class EventData(Message, frozen=True, kw_only=True):
    """The batch that an event is about."""

    id: str


class Event(Message, frozen=True, kw_only=True):
    """The body of a delivery."""

    id: str
    object: Literal["event"] = "event"
    type: str
    created_at: int
    data: EventData
