"""Structured logs on standard error: JSON lines for machines, or coloured lines for people."""

import logging
import sys
from typing import Any, TextIO, cast

import structlog

from toplu.serving.records.log_stream import LogStream
from toplu.settings.server import Settings
from toplu.tracing.request_at_hand import add_to_event


def configure_logs(
    settings: Settings, *, process: str | None = None, descriptor: int | None = None
) -> None:
    """Send every log, those of libraries too, through one formatter.

    `process` names the one of a server's processes that this is; `descriptor` is that of a file
    for it, in place of standard error.
    """
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    stream = LogStream(sys.stderr.fileno() if descriptor is None else descriptor)
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,  # of a call: its project and trace
        add_to_event,
        *([] if process is None else [_naming(process)]),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _naming(process: str) -> structlog.types.Processor:
    def add_process(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["process"] = process
        return event

    return add_process
