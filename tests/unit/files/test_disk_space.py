import pytest

from support.files.upload_world import UploadWorld
from toplu.errors import ResourceExhausted


async def test_what_is_arriving_counts_towards_the_storage_of_the_project(
    world: UploadWorld,
) -> None:
    declared = await world.start(4_000_000)
    with pytest.raises(ResourceExhausted, match="4000000 are arriving and 2000001 more"):
        await world.start(2_000_001)
    undeclared = await world.start(None)
    await world.append(undeclared, 0, b"x" * 1_500_000)
    with pytest.raises(ResourceExhausted, match="5500000 are arriving and 600000 more"):
        await world.append(undeclared, None, b"x" * 600_000)
    with pytest.raises(ResourceExhausted, match="500001 more"):
        await world.start(500_001)
    await world.append(undeclared, None, b"x" * 500_000)
    # What is cancelled or over its time arrives no more.
    await world.uploads.cancel(declared)
    await world.append(undeclared, None, b"x" * 600_000)
    assert (await world.uploads.finalize(undeclared)).size_bytes == 2_600_000
