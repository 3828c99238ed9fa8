"""Adds what the package brings of others to the list of what it needs (CycloneDX).

python packaging/add_vendored.py dist/toplu.cdx.json
"""

import hashlib
import json
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "toplu"
SWAGGER_UI = "api/gemini/swagger_ui"
OF_PAGE = "api/dashboard/static/vendored"
# As npm names them, with their version, licence, folder and files.
VENDORED = (
    (
        "swagger-ui-dist",
        "5.35.0",
        "Apache-2.0",
        SWAGGER_UI,
        ("swagger-ui-bundle.js", "swagger-ui.css"),
    ),
    ("htmx.org", "2.0.11", "0BSD", OF_PAGE, ("htmx.min.js",)),
    ("htmx-ext-sse", "2.2.4", "0BSD", OF_PAGE, ("htmx-sse.min.js",)),
    ("uplot", "1.6.32", "MIT", OF_PAGE, ("uPlot.iife.min.js", "uPlot.min.css")),
)


def component(name: str, version: str, licence: str, folder: str, files: tuple[str, ...]) -> object:
    """Return the entry of one of them, with a digest of each file."""
    purl = f"pkg:npm/{name}@{version}"
    return {
        "bom-ref": purl,
        "type": "library",
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [{"license": {"id": licence}}],
        "components": [
            {
                "bom-ref": f"{purl}#{file}",
                "type": "file",
                "name": f"toplu/{folder}/{file}",
                "hashes": [{"alg": "SHA-256", "content": _digest(PACKAGE / folder / file)}],
            }
            for file in files
        ],
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    listed = Path(sys.argv[1])
    document = json.loads(listed.read_text(encoding="utf-8"))
    document["components"] += [component(*each) for each in VENDORED]
    listed.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
