"""A remote engine reports to its group the work that an answer took."""

from toplu.engines.generation import BegunNote, Completion, Generation, Listener, Piece
from toplu.engines.prompt import Prompt, Sampling, Turn
from toplu.fleet.remote.engine import EngineClient, RemoteEngine
from toplu.fleet.remote.group import ServerGroup
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.settings.server import ModelSettings

MODEL = ModelSettings(
    name="m",
    engine="openai_server",
    servers=(ServerSettings(url="http://a/v1"),),
    remote=RemoteSettings(requests_first=1, requests_max=1),
)
SAMPLING = Sampling(output_tokens_max=5, temperature=0.0, top_p=1.0, top_k=0)
PROMPT = Prompt(turns=(Turn("user", "Hi"),), sampling=SAMPLING)
ANSWER = Generation(
    completions=(Completion(text="Hello.", tokens=2, hit_token_limit=False),),
    prompt_tokens=10,
    cached_tokens=0,
)


class Client:
    """Answers after a second of a clock of its own."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def check(self) -> None:
        pass

    async def generate(
        self,
        prompt: Prompt,  # noqa: ARG002
        lane: int,  # noqa: ARG002
        listener: Listener | None = None,
    ) -> Generation:
        self.seconds += 1.0
        if listener is not None:
            await listener(Piece(index=0, text="Hello.", prompt_tokens=10))
        return ANSWER

    async def load(self) -> None:
        pass

    async def retire(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def windows_with(listener: Listener | None) -> int:
    """Return what the limiter learnt of a hundred answers."""
    client = Client()
    group: ServerGroup[EngineClient] = ServerGroup(
        MODEL,
        lambda _: client,  # type: ignore[arg-type,return-value]
        now=lambda: client.seconds,
    )
    await group.connect()
    engine = RemoteEngine(group)
    for _ in range(101):
        await engine.generate(PROMPT, 0, listener)
    return group.servers[0].limiter.windows


async def test_the_limiter_learns_of_answers_whose_beginning_is_noted() -> None:
    noted: list[bool] = []
    assert await windows_with(BegunNote(lambda: noted.append(True))) == 2
    assert len(noted) == 101
    assert await windows_with(None) == 2


async def test_it_learns_nothing_of_answers_that_a_client_listens_to() -> None:
    async def listen(_: Piece) -> None:
        pass

    assert await windows_with(listen) == 0
