"""`make bench`: the figures that the README may claim, each as a ratio within one run on one machine.

`PART=ingest`, `PART=import` or `PART=night` runs only that; `heavy`, by hand, sets nights of several sizes
side by side. What follows the part is the size of the night (benchmarks/night.py).
"""

import os
import subprocess
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ops_platform.settings")
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
    django.setup()
    from benchmarks import imports, ingest, night

    parts = {
        "ingest": lambda _size: ingest.run(),
        "import": lambda _size: imports.run(),
        "night": night.run,
        "heavy": night.heavy,
    }
    part, *size = sys.argv[1:] or [""]
    for name in [part] if part else ("ingest", "import", "night"):
        parts[name](size)


if __name__ == "__main__":
    main()
