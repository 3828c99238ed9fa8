"""The specification's examples, joined into scripts that a user could have written, and run.

The files in `python/`, `javascript/` and `rest/` are the specification's text, unchanged. What a
reader has to fill in by hand (a job's name, a variable of an earlier step) is filled in here:
`given(…)` puts marked lines in front of an example, and `EDITS` are the only changes within one.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.server import Server, clean_environment
from support.waiting import PATIENCE_SECONDS

EXAMPLES = Path(__file__).parents[2] / "specification"
API_KEY = "any-key-works-on-loopback"

# Shell scripts have no base URL to set, and nobody wants to wait for 30 seconds.
EDITS = {
    "python": {"time.sleep(30)": "time.sleep(0.5)"},
    "javascript": {"setTimeout(resolve, 30000)": "setTimeout(resolve, 500)"},
    "rest": {"https://generativelanguage.googleapis.com": "${BASE_URL}"},
}
SUFFIXES = {"python": ".py", "javascript": ".mjs", "rest": ".sh"}
COMMENTS = {"python": "#", "javascript": "//", "rest": "#"}
TOOLS = {"node": "nodejs", "bash": "bash", "curl": "curl", "jq": "jq", "file": "file"}


@dataclass(frozen=True, slots=True)
class Given:
    """Lines that the reader of the specification is expected to have written."""

    lines: str


def given(lines: str) -> Given:
    return Given(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The output of a script, and its end."""

    stdout: str
    stderr: str
    code: int
    folder: Path

    def find(self, pattern: str) -> str:
        """Return the pattern's first group in what the script printed."""
        found = re.search(pattern, self.stdout)
        assert found is not None, f"no {pattern!r} in\n{self.stdout}\n{self.stderr}"
        return found[1]


@dataclass(slots=True)
class Running:
    """A script that has been started."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    def printed(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8")

    def finish(self) -> Finished:
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"the script ran for more than {PATIENCE_SECONDS} s:\n{self.printed()}")
        stderr = (self.folder / "stderr").read_text(encoding="utf-8")
        return Finished(stdout=self.printed(), stderr=stderr, code=code, folder=self.folder)


@dataclass(slots=True, kw_only=True)
class Examples:
    """The examples of one language, run against one server."""

    language: str
    server: Server
    workplace: Path
    started: list[Running] = field(default_factory=list, init=False)

    def run(
        self, *parts: str | Given, folder: Path | None = None, fill_in: dict[str, str] | None = None
    ) -> Finished:
        """Run the parts as one script; it has to end well and say nothing on stderr."""
        finished = self.start(*parts, folder=folder, fill_in=fill_in).finish()
        assert finished.code == 0, finished.stdout + finished.stderr
        if self.language != "rest":  # curl shows its progress there
            assert finished.stderr == "", finished.stderr
        return finished

    def start(
        self, *parts: str | Given, folder: Path | None = None, fill_in: dict[str, str] | None = None
    ) -> Running:
        """Start the parts as one script, in a fresh folder unless one is given.

        Each text of `fill_in` has to occur in the script and is replaced.
        """
        if folder is None:
            folder = self.workplace / str(len(self.started))
            folder.mkdir()
        script = folder / f"script{SUFFIXES[self.language]}"
        script.write_text(self._compose(parts, fill_in or {}), encoding="utf-8")
        packages = folder / "node_modules"
        if self.language == "javascript" and not packages.exists():
            packages.symlink_to(installed_packages())
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [*interpreter(self.language), str(script)],
                cwd=folder,
                stdout=stdout,
                stderr=stderr,
                env=self._environment(),
            )
        self.started.append(Running(process, folder))
        return self.started[-1]

    def close(self) -> None:
        """End the scripts that a failed test left running."""
        for running in self.started:
            running.process.kill()
            running.process.wait()

    def _compose(self, parts: tuple[str | Given, ...], fill_in: dict[str, str]) -> str:
        comment = COMMENTS[self.language]
        texts = [
            f"{comment} Given\n{part.lines}\n{comment} The example\n"
            if isinstance(part, Given)
            else self._read(part)
            for part in parts
        ]
        script = "\n".join(texts)
        for before, after in fill_in.items():
            assert before in script, f"no {before!r} to replace"
            script = script.replace(before, after)
        return script

    def _read(self, example: str) -> str:
        text = (EXAMPLES / self.language / f"{example}{SUFFIXES[self.language]}").read_text("utf-8")
        for before, after in EDITS[self.language].items():
            text = text.replace(before, after)
        return text

    def _environment(self) -> dict[str, str]:
        inherited = clean_environment()
        inherited.pop("GOOGLE_API_KEY", None)  # it would win over GEMINI_API_KEY
        return inherited | {
            "GEMINI_API_KEY": API_KEY,
            "GOOGLE_GEMINI_BASE_URL": self.server.url,
            "BASE_URL": self.server.url,
            "NO_PROXY": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
        }


def interpreter(language: str) -> list[str]:
    if language == "python":
        return [sys.executable]
    if language == "javascript":
        return [installed_tool("node")]
    for tool in ("curl", "jq", "file"):
        installed_tool(tool)
    return [installed_tool("bash")]


def installed_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"`{name}` is missing; on Debian: apt-get install {TOOLS[name]}")
    return path


def installed_packages() -> Path:
    packages = EXAMPLES / "node_modules"
    if not (packages / "@google" / "genai").is_dir():
        pytest.fail("the JavaScript packages are missing; in tests/specification: npm ci")
    return packages


def texts_of(results: list[dict[str, Any]]) -> list[str]:
    """Return the answers' texts; each result has to have a response with some text."""
    texts = []
    for result in results:
        assert "error" not in result, result
        parts = result["response"]["candidates"][0]["content"]["parts"]
        texts.append("".join(part["text"] for part in parts))
    assert all(text.strip() for text in texts), texts
    return texts
