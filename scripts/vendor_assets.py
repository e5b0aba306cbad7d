"""Copy the few files that pages use out of node_modules into static/vendor, with versions and licences.

An allow-list, so that the packages' other thousands of files never reach a browser. To add a file, add a line; to add
an icon, add its name to scripts/icons.txt. The new folder replaces the old one at the end, in one step.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = REPOSITORY / "node_modules"
VENDOR = REPOSITORY / "static/vendor"

FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler/tabler.min.js",
    "@alpinejs/csp/dist/cdn.min.js": "alpine/alpine.min.js",
    "echarts/dist/echarts.min.js": "echarts/echarts.min.js",
}
ICONS = "@tabler/icons/icons/outline/{}.svg"
# What a page may not be given: a browser with open tools asks for the map, and hashed file names break on it.
SOURCE_MAP = re.compile(rb"(//[#@]\s*sourceMappingURL=\S*|/\*[#@]\s*sourceMappingURL=.*?\*/)\s*\Z")


def main() -> None:
    """Build the folder beside the old one and swap them."""
    VENDOR.parent.mkdir(exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".vendor-", dir=VENDOR.parent))
    try:
        for source, target in FILES.items():
            copy(source, draft / target)
        for name in icon_names():
            copy(ICONS.format(name), draft / f"icons/{name}.svg")
        (draft / "LICENSES.txt").write_text(licences())
        for folder in [draft, *(path for path in draft.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        if VENDOR.exists():
            VENDOR.rename(draft.with_name(f"{draft.name}-old"))
        draft.rename(VENDOR)
    finally:
        for rest in VENDOR.parent.glob(".vendor-*"):
            shutil.rmtree(rest)


def copy(source: str, target: Path) -> None:
    """Copy one file without its pointer to a source map."""
    found = PACKAGES / source
    if not found.exists():
        raise SystemExit(f"{source} is not in node_modules: is the name right, and has the package moved it?")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(SOURCE_MAP.sub(b"", found.read_bytes()))


def icon_names() -> list[str]:
    """Return the names in icons.txt: one a line, # starts a remark."""
    lines = (REPOSITORY / "scripts/icons.txt").read_text().splitlines()
    return sorted({name for line in lines if (name := line.split("#", 1)[0].strip())})


def licences() -> str:
    """Return one text with name, version and licence of every package copied from, and the licence files they ship."""
    parts = []
    for package in sorted({re.match(r"(@[^/]+/)?[^/]+", source)[0] for source in [*FILES, ICONS]}):  # type: ignore[index]
        about = json.loads((PACKAGES / package / "package.json").read_text())
        parts.append(f"{package} {about['version']}: {about['license']}, {about.get('homepage', '')}".rstrip(", "))
        for pattern in ("LICENSE*", "NOTICE*", "licenses/*"):
            parts += [file.read_text().strip() for file in sorted((PACKAGES / package).glob(pattern))]
    return "\n\n----\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
