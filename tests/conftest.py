"""Its place makes `tests` importable: `from server import started_server`."""

import logging

import structlog

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
