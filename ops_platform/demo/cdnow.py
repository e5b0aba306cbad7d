"""CDNOW: 6,919 real purchases of 2,357 real customers, read as a file from the `lifetimes` wheel."""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from pathlib import Path

SLUG = "cdnow"
DAY = date(1998, 6, 30)


def sample_file() -> Path:
    """CDNOW_sample.txt, without importing the package (it no longer imports). Raises FileNotFoundError with the remedy."""
    spec = find_spec("lifetimes")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "datasets" / "CDNOW_sample.txt"
        if path.exists():
            return path
    raise FileNotFoundError("The lifetimes wheel is not installed: run `make setup`.")
