"""A child process with an embedding model in it, and the client at the other end of its pipes."""

from pathlib import Path

from toplu.engines.onnx.child import EmbedderParameters
from toplu.engines.onnx.embedder import OnnxEmbedder
from toplu.fleet.processes.child import EnginePipes, WatchedChild, start_child
from toplu.settings.server import ModelSettings, Settings

CHILD_MODULE = "toplu.engines.onnx.child"


class EmbedderPipes(EnginePipes):
    """Feeds what comes after the first line to the embedder: its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedder: OnnxEmbedder | None = None

    def take(self, data: bytes) -> None:
        if self.embedder is None:
            super().take(data)
        else:
            self.embedder.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and fail the calls that wait for an answer."""
        super().connection_lost(exc)
        if self.embedder is not None:
            self.embedder.die()


async def start_embedder(
    model: ModelSettings, model_path: Path, settings: Settings
) -> WatchedChild[OnnxEmbedder]:
    """Start a child and return when its model is loaded, or raise EngineStartFailed."""
    parameters = EmbedderParameters(
        weights=str(model_path),
        sha256=model.sha256,
        graph_folder=str(settings.model_dir / model.name),
        tokens_max=model.context_tokens,
        dimensions=model.dimensions,
        threads=model.threads,
    )
    pipes = EmbedderPipes()
    child = await start_child(
        CHILD_MODULE, parameters, pipes=pipes, seconds_max=settings.engine_start_seconds_max
    )
    pipes.embedder = OnnxEmbedder(
        write=child.stdin.write,
        dimensions=model.dimensions,
        request_seconds_max=settings.request_seconds_max,
        silence_seconds_max=settings.engine_silence_seconds_max,
    )
    return WatchedChild(child, pipes.embedder)
