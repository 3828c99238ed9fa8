"""The expiry of a cache: the forms in which a client may give it, and its meaning."""

from datetime import datetime, timedelta

from toplu.caches.violations import violation
from toplu.wire.gemini.cached_content import CachedContent
from toplu.wire.gemini.time_values import read_duration, read_timestamp


def read_expiry(
    body: CachedContent, now: datetime, *, default: timedelta | None = None
) -> datetime:
    """Return the moment that the body's ttl or expireTime names, or raise InvalidArgument."""
    if body.ttl is not None and body.expire_time is not None:
        raise violation("expiration", "oneof field 'expiration' is already set.")
    if body.expire_time is not None:
        expires = _read_expire_time(body.expire_time)
    elif body.ttl is not None:
        expires = _after(now, _read_ttl(body.ttl))
    elif default is not None:
        expires = _after(now, default)
    else:
        raise violation("expiration", "ttl or expire_time must be set.")
    if expires <= now:
        raise violation("expire_time", "expire_time must be in the future.")
    return expires


def _read_ttl(text: str) -> timedelta:
    try:
        ttl = read_duration(text)
    except (ValueError, OverflowError):
        raise violation("ttl", f"{text[:40]!r} is no duration such as '3600s'.") from None
    if ttl <= timedelta():
        raise violation("ttl", "ttl must be greater than 0.")
    return ttl


def _read_expire_time(text: str) -> datetime:
    try:
        return read_timestamp(text)
    except (ValueError, OverflowError):
        raise violation(
            "expire_time", f"{text[:40]!r} is no timestamp such as '2026-12-01T00:00:00Z'."
        ) from None


def _after(now: datetime, span: timedelta) -> datetime:
    try:
        return now + span
    except OverflowError:
        raise violation("ttl", "ttl reaches beyond the calendar.") from None
