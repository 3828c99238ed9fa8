"""Turns tracing on: from here on OpenTelemetry is imported, and nowhere else."""

from toplu.errors import ConfigurationError
from toplu.tracing.spans import SPANS


def start_tracing(process: str, url: str, *, share: float, shows_contents: bool) -> None:
    """Have spans made, and sent to the collector at the URL.

    ConfigurationError: the extra with OpenTelemetry is not installed.
    """
    try:
        from toplu.tracing.otel import OtelTracer, exporter_to
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"traces_url needs a library that is not here ({error.name}): pip install 'toplu[otel]'"
        ) from error
    SPANS.use(OtelTracer(process, exporter_to(url), share=share, shows_contents=shows_contents))
