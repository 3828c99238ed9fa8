import hashlib
import importlib.resources

from toplu.api.gemini import swagger_ui


def test_what_the_page_loads_is_as_it_was_published_with_its_licence() -> None:
    folder = importlib.resources.files(swagger_ui)
    sums = dict(
        reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    assert {"LICENSE", "NOTICE", "swagger-ui-bundle.js", "swagger-ui.css"} <= sums.keys()
    for name, expected in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected, name
