"""The rows of COMPATIBILITY.md that name fields, and the fields that google-genai's types have."""

import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from google.genai import types
from pydantic import BaseModel

PAGE = Path(__file__).parents[3] / "docs" / "COMPATIBILITY.md"
HEADING = "## Every field"
METHODS = "### Methods"
QUOTED = re.compile(r"`([^`]+)`")
SERVED = {"yes", "differs"}
STATUSES = SERVED | {"no", "unset", "SDK", "Vertex"}

# What the methods for this API of the modules models, batches, files and caches take and return.
ROOTS: tuple[type[BaseModel], ...] = (
    types.GenerateContentConfig,
    types.GenerationConfig,
    types.Content,
    types.Tool,  # stands in a union of names that only type checkers see
    types.GenerateContentResponse,
    types.CountTokensConfig,
    types.CountTokensResponse,
    types.EmbedContentConfig,
    types.EmbedContentResponse,
    types.ListModelsConfig,
    types.ListModelsResponse,
    types.GetModelConfig,
    types.CreateBatchJobConfig,
    types.CreateEmbeddingsBatchJobConfig,
    types.BatchJobSource,
    types.EmbeddingsBatchJobSource,
    types.BatchJob,
    types.GetBatchJobConfig,
    types.ListBatchJobsConfig,
    types.ListBatchJobsResponse,
    types.CancelBatchJobConfig,
    types.DeleteBatchJobConfig,
    types.DeleteResourceJob,
    types.UploadFileConfig,
    types.File,
    types.GetFileConfig,
    types.ListFilesConfig,
    types.ListFilesResponse,
    types.DownloadFileConfig,
    types.DeleteFileConfig,
    types.DeleteFileResponse,
    types.CreateCachedContentConfig,
    types.UpdateCachedContentConfig,
    types.CachedContent,
    types.GetCachedContentConfig,
    types.ListCachedContentsConfig,
    types.ListCachedContentsResponse,
    types.DeleteCachedContentConfig,
    types.DeleteCachedContentResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Fields that each of some types has, and what is done with them."""

    type_names: tuple[str, ...]  # may have a `*`
    fields: tuple[str, ...]
    status: str

    def names(self, type_name: str, field: str) -> bool:
        return field in self.fields and any(fnmatch(type_name, name) for name in self.type_names)


def read_rows(page: str) -> tuple[list[Row], list[Row]]:
    """Return the rows about methods, whose types are modules, and those about fields."""
    section = page.partition(f"\n{HEADING}\n")[2].partition("\n## ")[0]
    methods, _, fields = section.partition(f"\n{METHODS}\n")[2].partition("\n### ")
    return _read_table(methods), _read_table(fields)


def _read_table(text: str) -> list[Row]:
    return [_read_row(line) for line in text.splitlines() if line.startswith("| `")]


def _read_row(line: str) -> Row:
    _, of, fields, status, *_ = (cell.strip() for cell in line.split("|"))
    return Row(
        type_names=tuple(QUOTED.findall(of)), fields=tuple(QUOTED.findall(fields)), status=status
    )


def fields_of(kind: type[BaseModel]) -> dict[str, typing.Any]:
    """Return the type's fields as the wire names them, with their annotations."""
    return {each.alias or name: each.annotation for name, each in kind.model_fields.items()}


def reached(rows: list[Row]) -> dict[str, type[BaseModel]]:
    """Return the roots, and every type that a field which is served leads to."""
    found: dict[str, type[BaseModel]] = {}
    waiting = list(ROOTS)
    while waiting:
        kind = waiting.pop()
        if kind.__name__ in found or kind is BaseModel:
            continue
        found[kind.__name__] = kind
        for field, annotation in fields_of(kind).items():
            if any(row.status in SERVED and row.names(kind.__name__, field) for row in rows):
                waiting.extend(_models_in(annotation))
    return found


def _models_in(annotation: typing.Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
