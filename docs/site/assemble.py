"""Gathers the pages of the docs site: those that are written, and those that the code says.

    python docs/site/assemble.py FOLDER

A link to a page leads to it; a link to anything else in the repository becomes its name.
"""

import re
import shutil
import sys
from pathlib import Path

from reference import calls, commands, errors, settings

ROOT = Path(__file__).parents[2]
# What stands elsewhere in the repository, and what it is called as a page.
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "benchmarks/RESULTS.md": "RESULTS.md",
}
REFERENCE = {"settings": settings, "commands": commands, "calls": calls, "errors": errors}
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def assemble(folder: Path) -> None:
    """Write all pages into the folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "reference").mkdir(parents=True)
    sources = dict(PAGES)
    for path in sorted((ROOT / "docs").glob("*.md")):
        sources[str(path.relative_to(ROOT))] = path.name
    for source, page in sources.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        (folder / page).write_text(linked(text, source, sources), encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "images", folder / "images")
    (folder / "decisions.md").write_text(decisions(), encoding="utf-8")
    for name, write in REFERENCE.items():
        (folder / "reference" / f"{name}.md").write_text(write(), encoding="utf-8")


def linked(text: str, source: str, pages: dict[str, str]) -> str:
    """Return the text with its links as they lead on the site."""

    def led(found: re.Match[str]) -> str:
        name, target, anchor = found.groups()
        path = ((ROOT / source).parent / target).resolve()
        if not path.exists():
            raise SystemExit(f"{source}: links to {target}, which is not there")
        page = pages.get(str(path.relative_to(ROOT)))
        return f"[{name}]({page}{anchor or ''})" if page else name

    return LINK.sub(led, text)


def decisions() -> str:
    """Return every decision on one page, the newest first."""
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"), reverse=True)
    texts = [path.read_text(encoding="utf-8") for path in paths]
    lowered = (re.sub(r"(?m)^#", "##", text) for text in texts)
    return "# Decisions\n\n" + "\n".join(lowered)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
