"""The small world of segments, open."""

from __future__ import annotations

import pytest

from segmentation.models import Segment
from tests.segmentation import world as small


@pytest.fixture
def regulars(scope) -> Segment:  # type: ignore[no-untyped-def]
    """acme holds the small world; its segment "Regulars"."""
    return small.settle(scope)
