import sys

import pytest

from toplu.errors import ConfigurationError
from toplu.tracing.spans import SPANS
from toplu.tracing.start import start_tracing


def test_without_the_extra_the_start_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "toplu.tracing.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'toplu\[otel\]'"):
        start_tracing("api", "http://127.0.0.1:1/v1/traces", share=1.0, shows_contents=False)
    assert not SPANS.are_made
