"""The stores that the suites over rows run on, and tests of one of them alone."""

import pytest

SQLITE = "sqlite"
POSTGRES = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.system])

only_on_sqlite = pytest.mark.parametrize("opening", [SQLITE], indirect=True)
only_on_postgres = pytest.mark.parametrize("opening", [POSTGRES], indirect=True)
