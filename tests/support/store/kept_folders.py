"""The data folders of older versions that `tests/data/make.sh` made, to be opened by this one."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ARCHIVES = sorted(Path(__file__).parents[2].glob("data/data_folder_*.tar.gz"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFolder:
    """A data folder as a server left it that was killed amid a batch."""

    data_dir: Path
    config: str  # the configuration file of that server
    facts: dict[str, Any]  # what it answered, and the names it had

    @classmethod
    def unpack(cls, archive: Path, folder: Path) -> Self:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        return cls(
            data_dir=folder / "data",
            config=(folder / "data.toml").read_text(encoding="utf-8"),
            facts=json.loads((folder / "facts.json").read_text(encoding="utf-8")),
        )
