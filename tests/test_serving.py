"""The product's own processes: none outlives the one that started it, however that one ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings

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
