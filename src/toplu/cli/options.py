"""Options that many commands have."""

from pathlib import Path
from typing import Annotated

import typer

DataDirOption = Annotated[Path | None, typer.Option(help="The server's data folder.")]
ConfigOption = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
