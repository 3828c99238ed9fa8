"""Traces, where the settings name a collector."""

from toplu.settings.server import Settings
from toplu.tracing.start import start_tracing


def configure_traces(settings: Settings, *, process: str) -> None:
    """Have this process send its spans, under its name among those of its server."""
    if settings.traces_url is not None:
        start_tracing(
            process,
            settings.traces_url,
            share=settings.traces_share,
            shows_contents=settings.traces_contents,
        )
