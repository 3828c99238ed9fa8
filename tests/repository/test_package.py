"""The package: the same bytes from the same source, whole, and with what it owes to others."""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILD_SECONDS_MAX = 300
SWAGGER_UI = "src/toplu/api/gemini/swagger_ui"
OF_PAGE = "src/toplu/api/dashboard/static/vendored"
IN_SDIST = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "src"}


def run(*command: str | Path) -> None:
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS_MAX,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def build(folder: Path) -> dict[str, Path]:
    """Return what is built in the folder, by its suffix."""
    plain = ("--quiet", "--offline", "--no-build-isolation", "--python", sys.executable)
    run(BIN / "uv", "build", *plain, "--out-dir", folder, ROOT)
    return {path.suffix: path for path in folder.glob("toplu-*")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("built"))


@pytest.mark.slow
def test_the_same_source_makes_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    again = build(tmp_path)
    assert set(built) == set(again) == {".whl", ".gz"}
    for suffix, path in built.items():
        sums = [hashlib.sha256(it.read_bytes()).hexdigest() for it in (path, again[suffix])]
        assert sums[0] == sums[1]


@pytest.mark.slow
def test_an_index_would_take_it(built: dict[str, Path]) -> None:
    run(BIN / "twine", "check", "--strict", *built.values())


@pytest.mark.slow
def test_the_source_distribution_has_what_is_built_and_no_more(built: dict[str, Path]) -> None:
    with tarfile.open(built[".gz"]) as archive:
        names = [Path(*Path(name).parts[1:]) for name in archive.getnames()]
    assert {name.parts[0] for name in names} - {".gitignore"} == IN_SDIST
    assert not [name for name in names if "__pycache__" in name.parts]


@pytest.mark.slow
def test_the_wheel_has_the_licences_of_all_that_it_brings(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built[".whl"]) as wheel:
        names = {name.partition(".dist-info/licenses/")[2] for name in wheel.namelist()}
        assert "toplu/py.typed" in wheel.namelist()
    swagger = {"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"}
    page = {"htmx.LICENSE", "htmx-sse.LICENSE", "uPlot.LICENSE"}
    assert names - {""} == {
        "LICENSE",
        *(f"{SWAGGER_UI}/{name}" for name in swagger),
        *(f"{OF_PAGE}/{name}" for name in page),
    }


@pytest.mark.parametrize("folder", [SWAGGER_UI, OF_PAGE])
def test_what_is_vendored_is_as_it_was_published(folder: str) -> None:
    sums = (ROOT / folder / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    listed = {name: digest for digest, name in (line.split() for line in sums)}
    scripts = {it.name for it in (ROOT / folder).iterdir() if it.suffix in {".js", ".css"}}
    assert scripts <= set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((ROOT / folder / name).read_bytes()).hexdigest() == digest


def test_every_extra_that_is_named_is_there() -> None:
    named: dict[str, str] = {}
    for path in (*(ROOT / "src").rglob("*.py"), *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for found in re.findall(r"toplu\[([a-z,]+)\]", path.read_text(encoding="utf-8")):
            named |= dict.fromkeys(found.split(","), str(path.relative_to(ROOT)))
    assert "tables" in named
    extras = PROJECT["optional-dependencies"]
    assert {name: place for name, place in named.items() if name not in extras} == {}
    assert extras["all"] == [f"toplu[{','.join(sorted(set(extras) - {'all'}))}]"]


@pytest.mark.system
def test_the_list_of_what_it_needs_is_whole() -> None:
    run("make", "dist")
    document = json.loads((ROOT / "dist" / "toplu.cdx.json").read_text(encoding="utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    listed = {component["name"]: component for component in document["components"]}
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["tables"]]
    for requirement in wanted:
        name = re.split(r"[\[><=]", requirement)[0]
        assert listed[name]["version"]
        assert listed[name]["externalReferences"][0]["hashes"]
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    vendored = {
        name: it for name, it in listed.items() if it.get("purl", "").startswith("pkg:npm/")
    }
    for name, component in listed.items():
        if name not in vendored:
            assert f"{name}=={component['version']}" in locked
    files = [file["name"] for component in vendored.values() for file in component["components"]]
    brought = [
        ROOT / "src" / "toplu" / it
        for it in ("api/gemini/swagger_ui", "api/dashboard/static/vendored")
    ]
    scripts = [it for folder in brought for it in folder.iterdir() if it.suffix in {".js", ".css"}]
    assert sorted(files) == sorted(str(it.relative_to(ROOT / "src")) for it in scripts)
