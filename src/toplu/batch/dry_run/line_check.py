"""Reads the lines of an input as they would be read when their turn comes, and sums them up.

    line ──▶ request ──▶ prompt, or its fault ──▶ order ──▶ duplicates, shared beginnings, a sample

Blocking, and pure but for the files that it is given. In memory are nine bytes for each line, and a
bounded rest.
"""

import random
from array import array
from collections import Counter
from collections.abc import Iterable

from toplu.batch.chains.wave import check_expansions, check_parents, on_line
from toplu.batch.dry_run.findings import (
    FAULTS_MAX,
    Findings,
    Kind,
    LineFault,
    Reading,
    SampledLine,
    Stratum,
)
from toplu.batch.line_formats import FORMS, check_line_model
from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.order import OrderEntry
from toplu.batch.plan.ordering import Ordering
from toplu.batch.plan.wave_file import WaitingLine
from toplu.engines.translation.embedding_request import read_query
from toplu.engines.translation.media import find_attached
from toplu.engines.translation.prompt import read_prompt
from toplu.errors import InvalidArgument, TopluError
from toplu.fleet.adapters.frames import Frames
from toplu.settings.model import ModelSettings
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.after import waiting_of
from toplu.wire.gemini.content import Content, GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest
from toplu.wire.gemini.line_splitter import LineSpan

KINDS = tuple(Kind)
FAULTY = len(KINDS)  # of a line, in place of the index of a kind
UINT32_MAX = 2**32 - 1
SEED = 0  # the same input has the same sample

AnyRequest = GenerateContentRequest | EmbedContentRequest


class LineCheck:
    """The requests of one input, read one after another."""

    def __init__(self, reading: Reading, sorter: ExternalSort) -> None:
        self._reading = reading
        self._rules = reading.rules
        self._form = FORMS[reading.rules.method]
        self._ordering = Ordering(reading.rules, sorter)
        self._frames = Frames()
        self._kinds = bytearray()
        self._text_bytes = array("I")
        self._limits = array("I")
        self._faulty = 0
        self.waiting = 0  # lines that wait for others; they are counted as they are written
        self._faults: list[LineFault] = []
        self._random = random.Random(SEED)  # noqa: S311  # a sample, no secret
        self._strata = {kind: Stratum() for kind in KINDS}

    def add(self, span: LineSpan, line: bytes | None) -> None:
        """Take the next line; InvalidArgument: there are more than a batch may have."""
        self._ordering.add(self._ordering.total, span, line)
        kind, text_bytes, limit = FAULTY, 0, 0
        try:
            request = self._read(span, line)
            self._check(request)
        except TopluError as error:
            self._note(span.number, line, error)
        else:
            text_bytes = text_bytes_of(request)
            kind = KINDS.index(self._kind_of(request, text_bytes))
            limit = output_limit_of(request, self._rules.model)
        self._kinds.append(kind)
        self._text_bytes.append(min(text_bytes, UINT32_MAX))
        self._limits.append(min(limit, UINT32_MAX))

    def note_parents(self, entry: WaitingLine, line: bytes) -> None:
        """Take note of a line that waits for what there is not."""
        if self._kinds[entry.index] == FAULTY:
            return
        waiting = waiting_of(line)
        assert waiting is not None, "it waited when it was added"
        try:
            check_parents(entry, waiting)
        except InvalidArgument as error:
            self._kinds[entry.index] = FAULTY
            self._note(entry.number, line, on_line(entry.number, error))

    def finish(self) -> Findings:
        """Return what was found, once, after the last line."""
        duplicates = shared_bytes = 0
        limits: Counter[int] = Counter()
        for place in self._places():
            kind = self._kinds[place.index]
            if kind == FAULTY:
                continue
            if place.is_duplicate:
                duplicates += 1
                continue
            text_bytes = self._text_bytes[place.index]
            shared_bytes += min(place.shared_bytes, text_bytes)
            limits[self._limits[place.index]] += 1
            self._sum_up(
                KINDS[kind], SampledLine(place.offset, place.length, place.number, text_bytes)
            )
        return Findings(
            total=self._ordering.total,
            faulty=self._faulty,
            faults=self._faults,
            duplicates=duplicates,
            strata=self._strata,
            shared_bytes=shared_bytes,
            output_limits=sorted(limits.items()),
        )

    def _places(self) -> Iterable[OrderEntry]:
        for places in self._ordering.places():
            yield from places

    def _read(self, span: LineSpan, line: bytes | None) -> AnyRequest:
        if line is None:
            reason = f"the line is longer than {self._rules.line_bytes_max} bytes"
            raise InvalidArgument(f"Error on line {span.number}: {reason}")
        request: AnyRequest = self._form.read(line, span.number).request
        check_line_model(request.model, self._rules.batch_model, span.number)
        if (waiting := waiting_of(line)) is not None:
            self.waiting += 1
            check_expansions(waiting, line, span.number)
        return request

    def _check(self, request: AnyRequest) -> None:
        """Raise the error of a request that cannot be asked, as far as its line tells."""
        model = self._rules.model
        assert model is not None, "its name was found in the catalogue"
        if isinstance(request, EmbedContentRequest):
            read_query(request, model)
        # A relayed request is read by its server.
        elif not (_refers(request) or model.is_relayed) and self._frames.find(request) is None:
            self._frames.keep(request, read_prompt(request, model))

    def _kind_of(self, request: AnyRequest, text_bytes: int) -> Kind:
        if isinstance(request, GenerateContentRequest) and _refers(request):
            return Kind.LOOKED_UP
        return Kind.LONG if text_bytes >= self._reading.long_bytes else Kind.PLAIN

    def _note(self, number: int, line: bytes | None, error: TopluError) -> None:
        self._faulty += 1
        if len(self._faults) < FAULTS_MAX:
            key, metadata = (None, None) if line is None else jsonl.identify(line)
            self._faults.append(LineFault.of(error, number, key, metadata))

    def _sum_up(self, kind: Kind, line: SampledLine) -> None:
        stratum, most = self._strata[kind], self._reading.samples_max[kind]
        stratum.count += 1
        stratum.text_bytes += line.text_bytes
        # A reservoir (Vitter 1985, algorithm R): each request is as likely to be in the sample.
        if len(stratum.sample) < most:
            stratum.sample.append(line)
        elif (place := self._random.randrange(stratum.count)) < most:
            stratum.sample[place] = line


def text_bytes_of(request: AnyRequest) -> int:
    """Return the bytes of all text that the model is to read."""
    contents: list[Content] = []
    if isinstance(request, EmbedContentRequest):
        contents = [] if request.content is None else [request.content]
    else:
        contents = list(request.contents or ())
        if request.system_instruction is not None:
            contents.append(request.system_instruction)
    return sum(_bytes_of(part.text or "") for content in contents for part in content.parts or ())


def output_limit_of(request: AnyRequest, model: ModelSettings | None) -> int:
    """Return how many tokens the answer may have, all candidates together."""
    if isinstance(request, EmbedContentRequest) or model is None:
        return 0
    config = request.generation_config
    asked = None if config is None else config.max_output_tokens
    candidates = 1 if config is None else config.candidate_count or 1
    return min(asked or model.output_tokens_max, model.output_tokens_max) * candidates


def _refers(request: GenerateContentRequest) -> bool:
    """Return whether the request names or carries something that has to be read for it."""
    return request.cached_content is not None or any(find_attached(request))


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
