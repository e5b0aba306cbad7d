"""Django behind the web server: each request in a thread of its own, as far as there are any."""

from __future__ import annotations

from typing import Any

from a2wsgi import WSGIMiddleware


class Pages(WSGIMiddleware):
    """Whoever reads a body that was cut off is told so: half of a form or of a file looks like a whole one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def whole() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("The body ended too early.")
            return message

        await super().__call__(scope, whole, send)
