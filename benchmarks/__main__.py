"""`make bench`: the figures that the README may claim, each as a ratio within one run on one machine.

`PART=ingest`, `PART=import`, `PART=night` or `PART=fairness` runs only that.
"""

import os
import subprocess
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ops_platform.settings")
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
    django.setup()
    from benchmarks import fairness, imports, ingest, night

    parts = {"ingest": ingest.run, "import": imports.run, "night": night.run, "fairness": fairness.run}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
