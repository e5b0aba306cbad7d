"""Processes that begin others."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def signal_when_parent_dies(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child calls to be sent `number` when its parent dies, even by kill -9 (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, int(number))
