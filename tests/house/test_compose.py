"""docker-compose.yml, Dockerfile and .env.example hold together, and with the settings. No engine is needed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"web", "worker", "worker-short", "beat", "migrate"}
LASTING = sorted(SERVICES.keys() - {"migrate"})
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:[?-])?([^}]*)\}")
# The keys that compose knows and we use; a slip of the pen is not one of them.
KNOWN_KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "ports", "read_only",
    "restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip


def names_in_settings() -> set[str]:
    """Every environment name that the settings read."""
    text = (REPOSITORY / "ops_platform/settings.py").read_text()
    return set(re.findall(r"\benv(?:\.\w+)?\(\s*\"(\w+)\"", text))


def variables() -> dict[str, set[tuple[str, str]]]:
    """Name of each ${…} in the file → the ways it is written: (kind, rest), kind `:?` required, `:-` with a default."""
    found: dict[str, set[tuple[str, str]]] = {}
    for name, kind, rest in VARIABLE.findall((REPOSITORY / "docker-compose.yml").read_text()):
        found.setdefault(name, set()).add((kind, rest))
    return found


def example() -> dict[str, str]:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_all_services_are_there_and_speak_the_language_of_compose() -> None:
    assert SERVICES.keys() == {"postgres", "valkey"} | OURS
    for name, service in SERVICES.items():
        assert service.keys() <= KNOWN_KEYS, name
        assert "image" in service, name
        assert all(isinstance(value, str) for value in service["environment"].values()) or name not in OURS


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_service_has_a_health_check_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"].keys() >= {"test", "interval", "timeout", "retries"}
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_services_wait_for_what_they_need() -> None:
    for name in ("web", "worker", "worker-short", "beat"):
        needs = {service: how["condition"] for service, how in SERVICES[name]["depends_on"].items()}
        assert needs == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "valkey": "service_healthy",
        }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"] == "no"


def test_every_volume_in_use_is_declared_and_the_data_have_one() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == COMPOSE["volumes"].keys()
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]  # where the image of 18 keeps its data


def test_every_environment_name_is_one_the_settings_read() -> None:
    for name in OURS:
        assert SERVICES[name]["environment"].keys() <= names_in_settings(), name


def test_only_migrations_know_the_owner() -> None:
    assert {name for name in OURS if "DATABASE_OWNER_URL" in SERVICES[name]["environment"]} == {"migrate"}


def test_no_secret_has_a_default() -> None:
    secrets = {name for name in variables() if name.endswith(("_KEY", "_PASSWORD"))}
    assert secrets == {
        "SECRET_KEY",
        "LINK_KEY",
        "SECRETS_KEY",
        "ERASURE_KEY",
        "DATABASE_PASSWORD",
        "POSTGRES_PASSWORD",
        "VALKEY_PASSWORD",
    }
    for name in secrets:
        assert {kind for kind, _rest in variables()[name]} == {":?"}, name
        assert example()[name] == ""


def test_a_missing_required_value_stops_the_start_with_a_hint() -> None:
    for name, ways in variables().items():
        kinds = {kind for kind, _rest in ways}
        assert ":?" in kinds or kinds == {":-"}, name  # a bare ${NAME} only beside one that is required
        assert all(rest for _kind, rest in ways if _kind), name


def test_the_example_lists_exactly_what_the_file_asks_for_with_the_same_defaults() -> None:
    assert example().keys() == variables().keys()
    defaults = {name: rest for name, ways in variables().items() for kind, rest in ways if kind == ":-"}
    assert {name: value for name, value in example().items() if value} == defaults


def test_nothing_is_published_beyond_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"web"}
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_the_image_is_built_from_locks_and_runs_as_nobody_special() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    last_stage = dockerfile.split("\nFROM ")[-1]
    assert "pip install --require-hashes -r requirements/base.txt" in dockerfile
    assert "npm ci" in dockerfile
    assert re.search(r"^USER (?!root)\w+$", last_stage, re.MULTILINE)
    assert not re.search(r"(SECRET|PASSWORD|KEY)\w*=", last_stage)
    read_in_image = set(re.findall(r"\b([A-Z_]+)=/", last_stage)) - {"PATH"}
    assert read_in_image <= names_in_settings()


@pytest.mark.parametrize("name", sorted(OURS - {"migrate"}))
def test_our_containers_can_write_only_where_they_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["tmpfs"] == ["/tmp"]


def test_commands_name_programs_and_modules_that_exist() -> None:
    for name in OURS - {"web"}:
        command = " ".join(SERVICES[name]["command"])
        for module in re.findall(r"(?:--app|-m) ([\w.]+)", command):
            path = REPOSITORY / module.replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").exists(), module
    assert (REPOSITORY / "ops_platform/asgi.py").exists() and (REPOSITORY / "ops_platform/web.py").exists()
