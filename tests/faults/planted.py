"""The web application in which something wrong can be planted: GET /planted/NAME, and /planted/none takes all out again.

/planted/clock/ISO moves its clock. Only tests/faults/web.py starts it; the product knows nothing of it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest import mock

import time_machine

from ops_platform.asgi import application as product
from tests.faults.sabotage import SABOTAGE

_planted, _clock = ExitStack(), ExitStack()


async def application(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    if not path.startswith("/planted/"):
        await product(scope, receive, send)
        return
    plant(*path.removeprefix("/planted/").split("/"))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def plant(what: str, value: str = "") -> None:
    _clock.close()
    if what == "clock":
        _clock.enter_context(time_machine.travel(value, tick=True))
    else:
        _planted.close()
        SABOTAGE[what](lambda *place: _planted.enter_context(mock.patch.object(*place)))
