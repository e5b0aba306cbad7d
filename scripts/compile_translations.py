"""Compile gettext catalogues (.po → .mo beside them) with Babel, since not every machine has msgfmt."""

import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def main() -> None:
    """Compile every file named on the command line; a broken one stops with its line."""
    for name in sys.argv[1:]:
        source = Path(name)
        with source.open("rb") as file:
            catalogue = read_po(file, abort_invalid=True)
        draft = source.with_suffix(".mo.draft")
        with draft.open("wb") as file:
            write_mo(file, catalogue)
        draft.replace(source.with_suffix(".mo"))  # at once: a running server may be reading it


if __name__ == "__main__":
    main()
