"""The product's own processes: none outlives the one that started it, however that one ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.core.management import CommandError

from ops_platform import serving
from ops_platform.embedded.processes import is_alive

PARENT = """
import time, django
django.setup()
from ops_platform.serving import Children
with Children() as children:
    print(children.start("sleep", "60").pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_children_end_with_a_parent_that_is_killed(number: signal.Signals, code: int) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.send_signal(number)
    assert parent.wait() == code
    deadline = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < deadline, "the child is still there"
        time.sleep(0.02)


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_that_another_server_listens_on_is_refused_in_words(
    shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that would share it: each would get every second request."""
    monkeypatch.setattr(serving, "LEAVING_S", 0.1)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with serving.Children() as children, pytest.raises(CommandError, match=f"Port {port} is taken"):
            serving.start_web(children, port)
        assert not children.running
    assert not serving.is_taken(port)
