from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.models.repository import check_repository, repository_of
from toplu.settings.model import ModelSettings


def from_source(source: str | None) -> ModelSettings:
    return ModelSettings(name="m", engine="vllm", source=source)


def test_a_repository_is_a_folder_or_a_name_on_the_hub(tmp_path: Path) -> None:
    assert repository_of(from_source("hub:someone/a-model")) == "someone/a-model"
    check_repository(from_source("hub:someone/a-model"))
    assert repository_of(from_source(f"path:{tmp_path}")) == str(tmp_path)
    check_repository(from_source(f"path:{tmp_path}"))


@pytest.mark.parametrize(
    "source", [None, "hub:a-model", "hub:a/b/model.gguf", "wheel:a==1/b", "path:"]
)
def test_other_sources_are_refused(source: str | None) -> None:
    with pytest.raises(ConfigurationError, match="path:FOLDER or hub:OWNER/REPO"):
        repository_of(from_source(source))


def test_a_folder_that_is_not_there_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        check_repository(from_source(f"path:{tmp_path / 'none'}"))
