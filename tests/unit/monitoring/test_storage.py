from support.batch.batch_world import BatchWorld
from support.figures import figure
from support.store.rows import a_file
from toplu.metrics.exposition import expose
from toplu.monitoring.storage import StorageFigures
from toplu.store.data_folder import DataFolder
from toplu.store.rows.backlog import BacklogRows
from toplu.store.rows.files import FileRows


async def test_what_is_kept_and_what_room_there_is(world: BatchWorld) -> None:
    await FileRows(world.database).create(a_file(size_bytes=1234), 10_000)
    data = DataFolder(world.database.path.parent)
    text = expose("api", await StorageFigures(data, BacklogRows(world.database)).read())
    assert figure(text, "toplu_storage_bytes", kind="files") == 1234
    assert figure(text, "toplu_storage_bytes", kind="database") > 0
    size, free = (figure(text, "toplu_disk_bytes", kind=kind) for kind in ("size", "free"))
    assert 0 < free < size
