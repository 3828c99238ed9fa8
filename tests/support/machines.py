"""Many machines: each with a folder of its own, and rows, bytes and a secret in common."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

from support.alone import ApiAlone, run_toplu, start_worker
from support.model_tables import echo_model
from support.server import TOPLU
from toplu.settings.storage.bucket import BucketSettings

SECRET = "0123456789abcdef" * 2
ECHO = echo_model(replicas=2, delay_seconds=0.05)


def cluster_config(
    folder: Path, url: str, bucket: BucketSettings, models: str = ECHO, secret: str = SECRET
) -> str:
    """Return the settings of all machines; what is not to be in them is in files of the folder."""
    url_file, secret_file = folder / "url", folder / f"secret-{secret[:8]}"
    url_file.write_text(url)
    secret_file.write_text(secret)
    tables = (
        f'[store]\nurl_file = "{url_file}"',
        f'[bucket]\nurl = "{bucket.url}"\nendpoint = "{bucket.endpoint}"',
        f'credentials_file = "{bucket.credentials_file}"',
        f"flush_seconds = {bucket.flush_seconds}\ncall_seconds_max = {bucket.call_seconds_max}",
        '[webhooks]\nplain_http = true\nallowed_networks = ["127.0.0.0/8"]',
        f'[cluster]\ndoor = "127.0.0.1:0"\nsecret_file = "{secret_file}"',
        models,
    )
    return "\n".join(tables)


class Machines:
    """The machines of one cluster."""

    def __init__(
        self, folder: Path, url: str, bucket: BucketSettings, stack: ExitStack, models: str = ECHO
    ) -> None:
        self._folder = folder
        self._url = url
        self._bucket = bucket
        self._stack = stack
        self._models = models
        self.program = TOPLU  # of those that are started from now on

    def migrate(self) -> None:
        done = self.run("migrate", machine="operator")
        assert done.returncode == 0, done.stderr

    def api(self, name: str, *, secret: str = SECRET) -> ApiAlone:
        """Start a machine that answers, and return when it does."""
        api = ApiAlone(self._folder / name, config=self._config(secret))
        api.program = self.program
        return self._stack.enter_context(api).start()

    def worker(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a machine that works, and return when it does."""
        return start_worker(self._stack, *self._options(name), program=self.program)

    def new_key(self) -> str:
        made = self.run("keys", "create", machine="operator")
        assert made.returncode == 0, made.stderr
        return made.stdout.decode().split()[-1]

    def run(self, *words: str, machine: str) -> "subprocess.CompletedProcess[bytes]":
        """Run a command to its end."""
        return run_toplu(*words, *self._options(machine), program=self.program)

    def _config(self, secret: str = SECRET) -> str:
        return cluster_config(self._folder, self._url, self._bucket, self._models, secret)

    def _options(self, name: str) -> list[str]:
        config = self._folder / f"{name}.toml"
        config.write_text(self._config())
        return ["--data-dir", str(self._folder / name), "--config", str(config)]
