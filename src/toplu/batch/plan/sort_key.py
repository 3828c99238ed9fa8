"""The key that orders requests, and the digest that finds duplicates.

The key is the bytes that an engine sees, first to last.

The key of a request has the same prefix structure as its prompt, for any model: what comes first
in the prompt comes first in the key. Requests in the order of their keys are neighbours of those
with which they share most. How an answer is sampled is not part of it.
"""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from toplu.settings.model import ModelSettings
from toplu.settings.server import Deduplication
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part
from toplu.wire.gemini.embedding import EmbedContentRequest

# So many bytes of a key are compared; what is deeper is compared at depths that double.
KEY_BYTES_MAX = 16 * 1024
DEPTH_BYTES = 8
DIGEST_BYTES = 16
# No text in UTF-8 has this byte: what is no request comes last.
UNREADABLE = b"\xff"
UNIQUE = b"\xff" * 8

_encoder = msgspec.json.Encoder()


def key_of(request: GenerateContentRequest | EmbedContentRequest) -> bytes:
    """Return the key; its length is bounded."""
    if isinstance(request, EmbedContentRequest):
        text = _told(request.content) if request.content is not None else ""
        return _bounded(text.encode())
    # A field is led by a byte of its own, so that the end of one is never inside another.
    pieces = []
    if request.cached_content is not None:
        pieces.append(f"\x01{request.cached_content}")
    if request.system_instruction is not None:
        pieces.append(f"\x02{_told(request.system_instruction)}")
    if request.tools:
        pieces.append(f"\x03{_encoder.encode(request.tools).decode()}")
    pieces += [f"\x04{it.role or 'user'}\x05{_told(it)}" for it in request.contents or ()]
    return _bounded("".join(pieces).encode())


def _told(content: Content) -> str:
    parts = content.parts or ()
    if len(parts) == 1:
        return _shown(parts[0])
    return "\n".join(map(_shown, parts))


def _shown(part: Part) -> str:
    if part.text is not None:
        return part.text
    return _encoder.encode(part).decode()


def _bounded(key: bytes) -> bytes:
    if len(key) <= KEY_BYTES_MAX:
        return key
    depths = []
    digest = hashlib.blake2b(key[:KEY_BYTES_MAX], digest_size=DEPTH_BYTES)
    depth = KEY_BYTES_MAX
    while depth < len(key):
        digest.update(key[depth : 2 * depth])
        depths.append(digest.digest())
        depth *= 2
    return key[:KEY_BYTES_MAX] + b"".join(depths)


def shared_bytes(before: bytes, keys: Iterable[bytes]) -> Iterator[int]:
    """Yield how many bytes of their prompts each key and the one before it have in common.

    At least and about; the first follows `before`.
    """
    # As numbers: the first byte in which they differ is the highest that is left of both.
    last_number, last_length = int.from_bytes(before), len(before)
    for key in keys:
        number, length = int.from_bytes(key), len(key)
        if length >= last_length:
            shorter = last_length
            differing = (number >> 8 * (length - shorter)) ^ last_number
        else:
            shorter = length
            differing = number ^ (last_number >> 8 * (last_length - shorter))
        shared = shorter - (differing.bit_length() + 7) // 8
        if shared >= KEY_BYTES_MAX:
            shared = KEY_BYTES_MAX << ((shared - KEY_BYTES_MAX) // DEPTH_BYTES)
        yield shared
        last_number, last_length = number, length


def digest_of(
    request: GenerateContentRequest | EmbedContentRequest,
    *,
    batch_model: str,
    model: ModelSettings | None,
    deduplication: Deduplication,
) -> bytes | None:
    """Return what duplicates have in common: requests that one answer is right for.

    `batch_model` is the name that the batch asked for: a request that names it asks for the same
    as one that names none. None: no answer but its own is right for the request.
    """
    if deduplication == "never":
        return None
    if deduplication != "all" and not _is_deterministic(request, model):
        return None
    if isinstance(request, GenerateContentRequest) and request.labels is not None:
        request = msgspec.structs.replace(request, labels=None)  # they are counted, not answered
    if request.model is not None and request.model.removeprefix("models/") == batch_model:
        request = msgspec.structs.replace(request, model=None)
    return hashlib.blake2b(_encoder.encode(request), digest_size=DIGEST_BYTES).digest()


def unique_digest(index: int) -> bytes:
    """Return the digest of a request that is nobody's duplicate."""
    return UNIQUE + index.to_bytes(DIGEST_BYTES - len(UNIQUE), "big")


def _is_deterministic(
    request: GenerateContentRequest | EmbedContentRequest, model: ModelSettings | None
) -> bool:
    if isinstance(request, EmbedContentRequest):
        return True
    if request.tools and not all(tool.only_declares for tool in request.tools):
        return False  # what a tool finds may have changed
    config = request.generation_config
    temperature = None if config is None else config.temperature
    # A request that is relayed is sampled as the server it goes to likes.
    if temperature is None and model is not None and not model.is_relayed:
        temperature = model.temperature
    return temperature == 0 or (config is not None and config.seed is not None)
