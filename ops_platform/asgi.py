"""What the web server runs: ingest straight from the socket, everything else by Django in a pool of threads."""

import gc

from a2wsgi import WSGIMiddleware

from ops_platform import wsgi  # sets Django up

pages = WSGIMiddleware(wsgi.application, workers=4)  # type: ignore[arg-type]

from users.ingest.addresses import is_ours  # noqa: E402 - models need Django set up
from users.ingest.asgi import application as ingest  # noqa: E402
from users.ingest.asgi import respond  # noqa: E402
from users.ingest.door import problem  # noqa: E402

# Browsers and SDKs send one or two KB. What is larger is read only as far as the server's own buffer goes.
MAX_HEADER_BYTES = 32 * 1024

# What is loaded stays, and a batch of events makes tens of thousands of objects that go again by themselves: looking
# through all of them for cycles as often as Python does by default costs a third of the time.
gc.freeze()
gc.set_threshold(50_000, 20, 50)


async def application(scope, receive, send):  # type: ignore[no-untyped-def]
    """Hand each request to who answers for its address."""

    async def take():  # type: ignore[no-untyped-def]
        """The server's own awaitable is no coroutine, which a2wsgi asks for."""
        return await receive()

    if sum(len(name) + len(value) for name, value in scope.get("headers", ())) > MAX_HEADER_BYTES:
        await respond(send, problem(431, "headers_too_large", f"At most {MAX_HEADER_BYTES} bytes of headers."))
        return
    ours = scope["type"] == "http" and is_ours(scope["path"])
    await (ingest(scope, receive, send) if ours else pages(scope, take, send))
