"""The things that one run, or the check before it, is told."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """Questions and who answers them, as the command line has them: not yet held to the input."""

    source: Path
    prompt: str | None = None
    system: str | None = None
    schema: Path | None = None
    embed: str | None = None  # the column whose vectors are wanted
    image: str | None = None  # the column with paths of images
    limit: int | None = None  # rows, from the first on
    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = None  # of an answer
    model: str | None = None  # a name of the catalogue, a GGUF file or the URL of a server
    config: Path | None = None
    server: str | None = None  # the URL of a toplu that runs; None: a private one
    key: str | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(AskOptions):
    """The command line of a run."""

    output: Path
    prefix: str = ""  # before the names of new columns
    max_cost: Decimal | None = None
    seconds_max: float | None = None
    run_dir: Path | None = None  # where what is not done yet is kept

    @property
    def unfinished(self) -> Path:
        """The folder of what is not done yet."""
        return self.run_dir or self.output.with_name(f".{self.output.name}.toplu")
