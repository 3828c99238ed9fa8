"""A bucket at a real server of S3's protocol: Moto's, or the one that the environment names."""

import hmac
import itertools
import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from support.ports import free_port
from support.running_program import running_program
from toplu.settings.storage.bucket import BucketSettings

MOTO = Path(__file__).parents[2] / ".moto/bin/moto_server"  # of `make .moto/ready`
NAME = "toplu-tests"
SECRET = b"testsecret123"
KEYS = f"[default]\naws_access_key_id = testkey\naws_secret_access_key = {SECRET.decode()}\n"
_prefixes = itertools.count()


@contextmanager
def running_bucket(folder: Path) -> Iterator[BucketSettings]:
    """Yield the settings of an empty bucket, while the block runs."""
    credentials = folder / "credentials"
    credentials.write_text(KEYS)
    if (endpoint := os.environ.get("TOPLU_TEST_S3")) is not None:  # noqa: TID251  # no setting
        make_bucket(endpoint)
        yield BucketSettings(url=f"s3://{NAME}", endpoint=endpoint, credentials_file=credentials)
        return
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [
        str(MOTO),
        "-H",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    with running_program(
        command,
        health_url=f"{endpoint}/moto-api/",
        log=folder / "moto.log",
        environment={"PATH": os.defpath},
    ):
        make_bucket(endpoint)
        yield BucketSettings(url=f"s3://{NAME}", endpoint=endpoint, credentials_file=credentials)


def make_bucket(endpoint: str) -> None:
    """Make the bucket, in the name of the keys; obstore has no call for it."""
    date = formatdate(usegmt=True)
    signed = hmac.digest(SECRET, f"PUT\n\n\n{date}\n/{NAME}".encode(), "sha1")
    headers = {"date": date, "authorization": f"AWS testkey:{b64encode(signed).decode()}"}
    try:
        urlopen(Request(f"{endpoint}/{NAME}", method="PUT", headers=headers))
    except HTTPError as refusal:
        raise AssertionError(refusal.read().decode()) from None


def own_part(settings: BucketSettings, folder: Path | None = None) -> BucketSettings:
    """Return a part of the bucket that nobody else uses, the same again for the same folder."""
    name = next(_prefixes) if folder is None else sha256(bytes(folder)).hexdigest()[:16]
    prefix = f"part-{os.getpid()}-{name}"
    return BucketSettings(
        url=f"{settings.url}/{prefix}",
        endpoint=settings.endpoint,
        credentials_file=settings.credentials_file,
        flush_seconds=0.01,
        call_seconds_max=10.0,
    )
