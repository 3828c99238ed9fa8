"""A new batch: a file, a prompt for a table's rows, what the batch would be, and then the batch."""

from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from toplu.api.dashboard.figures import figures_of
from toplu.api.dashboard.gate import PageGate, Visit, see
from toplu.api.dashboard.new_batches import Chosen, NewBatches
from toplu.api.dashboard.rendering import HEADERS, fill, render
from toplu.api.dashboard.visitor import TOKEN
from toplu.api.gemini.model_names import ModelNames
from toplu.api.http.gate import stream_body
from toplu.api.http.multipart import FormUpload
from toplu.errors import InvalidArgument, TopluError
from toplu.files.metadata import PLAIN_TERMS, FileTerms
from toplu.files.uploads import Uploads
from toplu.wire.gemini.file import FileMetadata

PATH = "/ui/new"


class NewBatchPages:
    """Handlers of the making of a batch."""

    def __init__(
        self, gate: PageGate, *, names: ModelNames, uploads: Uploads, batches: NewBatches
    ) -> None:
        self._gate = gate
        self._names = names
        self._uploads = uploads
        self._batches = batches

    def routes(self) -> list[Route]:
        page, form, file = self._gate.page, self._gate.form, f"{PATH}/{{file}}"
        return [
            Route(PATH, page(self.show), methods=["GET"]),
            Route(PATH, page(self.upload), methods=["POST"]),
            Route(file, page(self.choose), methods=["GET"]),
            Route(f"{file}/figures", page(self.figures), methods=["GET"]),
            Route(f"{file}/lines", form(self.make_lines), methods=["POST"]),
            Route(f"{file}/batch", form(self.create), methods=["POST"]),
        ]

    async def show(self, visit: Visit) -> Response:
        """Ask for a file."""
        models = [name for name, _ in self._names.listed()]
        return render("new.html", visit.visitor, path=PATH, models=models)

    async def upload(self, visit: Visit) -> Response:
        """Keep the file, and go on with it."""
        request = visit.request
        content_type = request.headers.get("content-type", "")
        if not content_type.startswith("multipart/form-data"):
            raise InvalidArgument("The form has no file.")
        form = FormUpload(content_type, stream_body(request))
        file = await form.find_file()
        if file is None or not file.filename:
            raise InvalidArgument("Choose a file first.")
        fields: dict[str, str] = {}

        async def read_terms() -> FileTerms:
            fields.update(await form.fields())
            self._gate.sessions.check_token(visit.visitor, fields.get(TOKEN))
            return PLAIN_TERMS

        stored = await self._uploads.whole(
            visit.project,
            FileMetadata(display_name=file.filename),
            mime_type=file.content_type or None,
            chunks=form.stream(file),
            read_terms=read_terms,
        )
        if fields.get("to") == "files":
            return see("/ui/files")
        return see(_path_of(stored.id, fields))

    async def choose(self, visit: Visit) -> Response:
        """Show what is to be made of the file: of a table, ask for the prompt first."""
        chosen = await self._chosen(visit)
        columns = await self._batches.columns(chosen.file) if chosen.is_table else []
        return render("new_batch.html", visit.visitor, path=PATH, chosen=chosen, columns=columns)

    async def figures(self, visit: Visit) -> Response:
        """Show what the batch would be; a part of the page."""
        try:
            found = figures_of(await self._batches.validate(visit, await self._chosen(visit)))
        except TopluError as error:
            return HTMLResponse(fill("parts/fault.html", message=error.message), headers=HEADERS)
        return HTMLResponse(fill("parts/figures.html", found=found), headers=HEADERS)

    async def make_lines(self, visit: Visit, fields: dict[str, str]) -> Response:
        """Make lines of a table's rows, and go on with these."""
        chosen = await self._chosen(visit)
        if not chosen.is_table:
            raise InvalidArgument("The file has lines already.")
        prompt = fields.get("prompt", "")
        made = await self._batches.lines_of(visit.project, chosen.file, prompt)
        return see(_path_of(made.id, fields))

    async def create(self, visit: Visit, fields: dict[str, str]) -> Response:
        """Make the batch, and show it."""
        chosen = await self._batches.choose(visit, fields.get("model", ""), fields.get("name", ""))
        return see(f"/ui/batches/{await self._batches.create(visit, chosen)}")

    async def _chosen(self, visit: Visit) -> Chosen:
        return await self._batches.choose(visit, visit.asked("model"), visit.asked("name"))


def _path_of(file_id: str, fields: dict[str, str]) -> str:
    kept = {name: fields[name] for name in ("model", "name") if fields.get(name)}
    return f"{PATH}/{file_id}?{urlencode(kept)}"
