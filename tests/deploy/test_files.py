"""What runs sereno elsewhere names only what sereno has: commands, options, settings, paths, ports."""

import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sereno.api.routes import health
from sereno.domain.version import VERSION
from sereno.settings.reading import load_settings
from sereno.settings.tree import Settings
from tests.architecture import repository
from tests.deploy.files import CHART, DEPLOY, PAGES, ROOT, containers, dockerfile, manifests, rendered, tool
from tests.support.commands import misunderstood, own_commands

if not DEPLOY.is_dir():
    pytest.skip("the files for containers are not installed", allow_module_level=True)

IMAGE = dockerfile(DEPLOY / "Dockerfile")
COMPOSE = [DEPLOY / "compose.yaml", DEPLOY / "compose.postgres.yaml", DEPLOY / "stack.yaml"]
KUBERNETES = [DEPLOY / "kubernetes" / "single.yaml", DEPLOY / "kubernetes" / "apart.yaml"]
UPGRADE = DEPLOY / "kubernetes" / "upgrade.yaml"
PORT = "8420"
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPANISH = ROOT / "docs" / "es" / "despliegue.md"
OF_IMAGE = {"MODEL_VERSION", "DATABASE_URL"}
by_name = pytest.mark.parametrize("path", [*COMPOSE, *KUBERNETES], ids=lambda path: path.stem)


def _services(path: Path) -> dict[str, dict[str, Any]]:
    """Services of a compose file that run our image, with the defaults of their variables."""
    text = VARIABLE.sub(lambda found: found[2] or "", path.read_text("utf-8"))
    services = yaml.safe_load(text)["services"]
    return {name: one for name, one in services.items() if one["image"].startswith("sereno")}


def _ours(path: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """The words and the environment of each container of ours."""
    if path in COMPOSE:
        default = json.loads(IMAGE["CMD"][0])
        return {
            name: (one.get("command", default), one["environment"]) for name, one in _services(path).items()
        }
    return {
        f"{number}": (one["args"], {env["name"]: env.get("value", "") for env in one["env"]})
        for number, one in enumerate(containers(manifests(path)))
    }


@by_name
def test_every_command_and_setting_is_one_of_ours(path: Path, tmp_path: Path) -> None:
    for words, environment in _ours(path).values():
        assert misunderstood(words) == ""
        assert words[:1] == ["serve"]
        assert words[words.index("--port") + 1] == PORT
        assert not {name for name in environment if not name.startswith("SERENO__")} - OF_IMAGE
        settings = {name: str(value) for name, value in environment.items() if name not in OF_IMAGE}
        assert load_settings(tmp_path, settings).tree.timezone == "Europe/Madrid"


@by_name
def test_containers_have_no_privileges_and_a_place_to_write(path: Path) -> None:
    if path in COMPOSE:
        for one in _services(path).values():
            assert (one["read_only"], one["cap_drop"], one["tmpfs"]) == (True, ["ALL"], ["/tmp"])
            assert one["volumes"] == ["workspace:/workspace"]
        return
    for one in containers(manifests(path)):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["mountPath"] for mount in one["volumeMounts"]} == {"/workspace", "/tmp"}


def test_an_embedded_store_is_never_shared_and_roles_are_apart_on_a_server() -> None:
    single, apart = (manifests(path) for path in KUBERNETES)
    (alone,) = [one for one in single if one["kind"] == "Deployment"]
    roles = [one["args"][one["args"].index("--role") + 1] for one in containers(apart)]

    assert (alone["spec"]["replicas"], alone["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert not [one for one in single if one["kind"] == "HorizontalPodAutoscaler"]
    assert roles == ["api", "engine", "notifier"]
    assert all("DATABASE_URL" in environment for _, environment in _ours(KUBERNETES[1]).values())
    assert all("DATABASE_URL" in environment for _, environment in _ours(COMPOSE[1]).values())
    assert not any("DATABASE_URL" in environment for _, environment in _ours(COMPOSE[0]).values())


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_probes_ask_what_the_service_answers_and_pods_are_found(path: Path) -> None:
    objects = manifests(path)
    routes = {route.path for route in health.router.routes}  # type: ignore[attr-defined]
    (service,) = [one for one in objects if one["kind"] == "Service"]
    (policy,) = [one for one in objects if one["kind"] == "NetworkPolicy"]
    pods = [one["spec"]["template"] for one in objects if one["kind"] == "Deployment"]

    for one in containers(objects):
        asked = {name: one[name]["httpGet"]["path"] for name in one if name.endswith("Probe")}
        assert asked == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }
        assert set(asked.values()) <= routes
        assert {"limits", "requests"} <= set(one["resources"])
        assert [str(port["containerPort"]) for port in one["ports"]] == [PORT]
    selected = [
        pod for pod in pods if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    ]
    governed = policy["spec"]["podSelector"]["matchLabels"].items()
    assert len(selected) == 1
    assert all(governed <= pod["metadata"]["labels"].items() for pod in pods)


def test_load_scales_the_api_alone() -> None:
    objects = manifests(KUBERNETES[1])
    (scaler,) = [one for one in objects if one["kind"] == "HorizontalPodAutoscaler"]
    deployments = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "Deployment"}

    assert scaler["spec"]["scaleTargetRef"]["name"] == "sereno-api"
    assert {name for name, spec in deployments.items() if "replicas" not in spec} == {"sereno-api"}


def test_the_image_says_what_the_product_is() -> None:
    health = IMAGE["HEALTHCHECK"][0]
    user = int(IMAGE["USER"][0].partition(":")[0])
    groups = re.findall(r"EXTRAS=(\S+)", " ".join(IMAGE["ARG"]))[0].split(",")

    assert json.loads(IMAGE["ENTRYPOINT"][0]) == ["sereno"]
    assert IMAGE["EXPOSE"] == [PORT]
    assert user > 0
    assert f"http://127.0.0.1:{PORT}/healthz" in health
    assert set(groups) <= set(repository.settings()["project"]["optional-dependencies"])
    assert json.loads(IMAGE["VOLUME"][0]) == IMAGE["WORKDIR"][-1:] == ["/workspace"]
    assert "constraints.txt" in IMAGE["ENV"][0]


def test_images_that_are_made_of_it_keep_to_what_it_is() -> None:
    trained, heroku = (dockerfile(DEPLOY / f"{name}.Dockerfile") for name in ("trained", "heroku"))
    (shell,) = own_commands(json.loads(heroku["CMD"][0])[-1].replace('"$PORT"', PORT))
    owner = re.findall(r"--chown=(\S+)", trained["COPY"][0])

    assert owner == IMAGE["USER"]
    assert trained["COPY"][0].split()[-2:] == [".", "/workspace/"]
    assert trained["ENV"] == ["MODEL_VERSION=${MODEL_VERSION}"]
    assert json.loads(heroku["ENTRYPOINT"][0]) == []
    assert (misunderstood(shell), shell[-1]) == ("", PORT)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    copied = [line for line in IMAGE["COPY"] if not line.startswith("--from")]
    named = {word for line in copied for word in line.split()[:-1]}
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()

    assert all((ROOT / name).exists() for name in named)
    assert {f"!{name}" for name in named} <= set(ignored)


def test_version_of_the_chart_and_images_is_that_of_the_product() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    tags = set(re.findall(r"sereno:(\d[\w.]*)", "".join(_text(path) for path in _everything())))

    assert {chart["version"], chart["appVersion"], values["image"]["tag"], *tags} == {VERSION}


@pytest.mark.parametrize("mode", ["single", "apart"])
def test_kept_manifests_are_those_of_the_chart(mode: str) -> None:
    kept = manifests(DEPLOY / "kubernetes" / f"{mode}.yaml")

    made = rendered(mode)

    assert sorted(made, key=_name) == sorted(kept, key=_name)


def test_job_of_the_chart_upgrades_the_store_that_the_pods_share() -> None:
    (kept,) = manifests(UPGRADE)
    (job,) = [one for one in rendered("apart", upgradeJob=True) if one["kind"] == "Job"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    engine = next(one for one in containers(manifests(KUBERNETES[1])) if "engine" in one["args"])

    assert kept == job
    assert misunderstood(container["args"]) == ""
    assert (container["args"], pod["restartPolicy"]) == (["upgrade"], "Never")
    assert {name: container[name] for name in ("image", "env", "volumeMounts", "securityContext")} == {
        name: engine[name] for name in ("image", "env", "volumeMounts", "securityContext")
    }


def test_chart_with_everything_keeps_the_schemas_of_kubernetes(tmp_path: Path) -> None:
    ingress = {"host": "sereno.example.org", "className": "nginx", "tlsSecret": "cert", "proxies": []}
    objects = rendered("apart", ingress=ingress, secrets=["hooks", "mail"], upgradeJob=True)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects), "utf-8")

    _check(tool("kubernetes-validate"), "--strict", str(tmp_path / "all.yaml"))


def test_chart_takes_an_ingress_secrets_and_a_claim(tmp_path: Path) -> None:
    ingress = {
        "host": "sereno.example.org",
        "className": "nginx",
        "tlsSecret": "cert",
        "proxies": ["10.0.0.0/24"],
    }
    objects = rendered(
        "single",
        ingress=ingress,
        secrets=["hooks"],
        workspace={"existingClaim": "plant", "size": "1Gi", "storageClass": "fast"},
        networkPolicy={"enabled": False, "egressPorts": []},
        modelVersion="solar-1",
    )
    (container,) = containers(objects)
    (found,) = [one for one in objects if one["kind"] == "Ingress"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    service = load_settings(tmp_path, environment).tree.service

    assert {one["kind"] for one in objects} == {"Deployment", "Service", "Ingress"}
    assert found["spec"]["rules"][0]["host"] == "sereno.example.org"
    assert found["spec"]["tls"] == [{"hosts": ["sereno.example.org"], "secretName": "cert"}]
    assert container["envFrom"] == [{"secretRef": {"name": "hooks"}}]
    assert (service.allowed_hosts, [str(one) for one in service.trusted_proxies]) == (
        ["sereno.example.org"],
        ["10.0.0.0/24"],
    )
    assert environment["MODEL_VERSION"] == "solar-1"


def test_task_of_ecs_is_that_of_the_image(tmp_path: Path) -> None:
    task = json.loads((DEPLOY / "ecs" / "task-definition.json").read_text("utf-8"))
    (container,) = task["containerDefinitions"]
    said = {one["name"]: one["value"] for one in container["environment"]}

    assert container["command"] == json.loads(IMAGE["CMD"][0])
    assert container["user"] == IMAGE["USER"][0]
    assert container["healthCheck"]["command"][1:] == json.loads(IMAGE["HEALTHCHECK"][0].partition("CMD ")[2])
    assert load_settings(tmp_path, said).tree.service.allowed_hosts == ["sereno.example.org"]


def test_every_command_of_the_pages_is_understood() -> None:
    text = "".join(_shell(page) for page in PAGES.glob("*.md"))
    in_compose = [line.split() for line in re.findall(r"run --rm engine (.*)", text)]
    commands = [*own_commands(text), *in_compose]

    assert len(commands) == 6
    assert {" ".join(words): said for words in commands if (said := misunderstood(words))} == {}


def test_every_file_and_setting_that_the_pages_name_is_there(tmp_path: Path) -> None:
    for page in PAGES.glob("*.md"):
        text = page.read_text("utf-8")
        named = re.findall(r"\bdeploy/[\w./-]+[\w]", _shell(page)) + re.findall(r"`(deploy/[\w./-]+)`", text)
        assert not {name for name in named if not (ROOT / name).exists()}, page.name
        for said in re.findall(r"SERENO__[A-Z_]+", text.replace("SERENO__A__B", "")):
            branch, *rest = said.removeprefix("SERENO__").lower().split("__")
            field = Settings.model_fields[branch]
            for part in rest:
                assert part in field.annotation.model_fields  # type: ignore[union-attr]


def test_both_languages_show_the_same_commands() -> None:
    english = "".join(
        _shell(PAGES / f"{name}.md")
        for name in ("containers", "kubernetes", "swarm", "ecs", "cloud-run", "azure", "heroku")
    )

    assert english == _shell(SPANISH)
    assert {page.stem for page in PAGES.glob("*.md")} == {
        *("containers", "kubernetes", "swarm", "ecs", "cloud-run", "azure", "heroku")
    }


def test_commands_of_workflows_exist() -> None:
    import dev

    workflows = [yaml.safe_load(_text(path)) for path in _workflows()]
    steps = [step for one in workflows for job in one["jobs"].values() for step in job["steps"]]
    said = "\n".join(step.get("run", "") for step in steps)

    ours = re.findall(r"python dev\.py (\w+)", said)
    assert {"test", "newest", "sbom"} <= set(ours) <= set(dev.COMMANDS)
    assert {" ".join(words): why for words in own_commands(said) if (why := misunderstood(words))} == {}
    assert all(re.search(r"@[\w./-]+$", step["uses"]) for step in steps if "uses" in step)
    assert all(one["permissions"] == {"contents": "read"} for one in workflows)


@pytest.mark.parametrize("name", ["Dockerfile", "trained.Dockerfile", "heroku.Dockerfile"])
def test_hadolint_finds_nothing(name: str) -> None:
    _check(tool("hadolint"), str(DEPLOY / name))


def test_manifests_keep_the_schemas_of_kubernetes() -> None:
    _check(tool("kubernetes-validate"), "--strict", *map(str, [*KUBERNETES, UPGRADE]))


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.compose-spec", COMPOSE),
        ("vendor.github-workflows", sorted((ROOT / ".github").rglob("*.yml"))),
    ],
    ids=["compose", "workflows"],
)
def test_files_keep_their_schemas(schema: str, paths: list[Path]) -> None:
    _check(tool("check-jsonschema"), "--builtin-schema", schema, *map(str, paths))


def _check(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


def _name(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _workflows() -> list[Path]:
    return sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _everything() -> list[Path]:
    return [path for folder in (DEPLOY, PAGES) for path in folder.rglob("*") if path.is_file()]


def _shell(page: Path) -> str:
    return "".join(FENCE.findall(page.read_text("utf-8")))


def _text(path: Path) -> str:
    return path.read_text("utf-8")
