"""Standard error, where a log is written that no full disk or reader that went away can stop.

A line that cannot be written is lost; the next one that can be says how many were.
"""

import os
import threading


class LogStream:
    """Takes text for a file descriptor, whole lines at a time; writing to it never fails."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._lost = 0
        self._is_amid_line = False  # of one that was cut off

    def write(self, text: str) -> int:
        """Write the text, or count it as lost; return its length."""
        with self._lock:
            if self._lost:
                text = self._notice() + text
            try:
                self._write_all(text.encode(errors="backslashreplace"))
            except OSError:
                self._lost += 1
            else:
                self._lost, self._is_amid_line = 0, False
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def _notice(self) -> str:
        notice = f'{{"event": "log_lines_lost", "level": "warning", "count": {self._lost}}}\n'
        return f"\n{notice}" if self._is_amid_line else notice

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
            self._is_amid_line = bool(rest) or self._is_amid_line
