"""The page that the OpenAPI document is read on, and the document itself, served."""

import importlib.resources

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from toplu.api.gemini import openapi_document, swagger_ui
from toplu.api.http.responses import json_response

DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>toplu: API</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#page"})</script>
</body>
</html>
"""


async def show_document(request: Request) -> Response:
    """Answer with the OpenAPI document."""
    return await json_response(request, openapi_document.document())


async def show_page(_request: Request) -> Response:
    """Answer with a page that draws the document; everything it loads comes from here."""
    return HTMLResponse(DOCS_PAGE)


def routes() -> list[Route | Mount]:
    """Return the routes of the document, the page and what the page loads."""
    static = importlib.resources.files(swagger_ui)
    return [
        Route("/openapi.json", show_document, methods=["GET"]),
        Route("/docs", show_page, methods=["GET"]),
        Mount("/docs/static", StaticFiles(directory=str(static))),
    ]
