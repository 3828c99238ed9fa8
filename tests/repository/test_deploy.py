"""Files for those who run toplu: read by the tools of their kinds, and by toplu itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toplu.metrics.readings import REPLICAS_WANTED
from toplu.settings.load import load

DEPLOY = Path(__file__).parents[2] / "deploy"
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.system


def run(*command: object) -> str:
    done = subprocess.run([str(it) for it in command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_image_is_built_as_it_ought_to_be() -> None:
    assert run(BIN / "hadolint", DEPLOY / "Containerfile") == ""


def test_kubernetes_takes_the_base() -> None:
    base = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    files = [DEPLOY / "kubernetes" / name for name in base["resources"]]
    assert "passed" in run(BIN / "kubernetes-validate", "--strict", *files)
    kinds = {each["kind"] for file in files for each in yaml.safe_load_all(file.read_text())}
    assert kinds == {"Deployment", "Job", "PodDisruptionBudget", "Service"}


def test_autoscalers_go_by_the_figure_and_scale_the_workers_of_the_base() -> None:
    folder = DEPLOY / "kubernetes"
    assert "passed" in run(BIN / "kubernetes-validate", "--strict", folder / "autoscale/hpa.yaml")
    hpa, keda = (
        yaml.safe_load((folder / "autoscale" / name).read_text())["spec"]
        for name in ("hpa.yaml", "keda.yaml")
    )
    (deployment, *_) = yaml.safe_load_all((folder / "worker.yaml").read_text())
    assert {it["scaleTargetRef"]["name"] for it in (hpa, keda)} == {deployment["metadata"]["name"]}
    (external,), (trigger,) = hpa["metrics"], keda["triggers"]
    figure = REPLICAS_WANTED.name
    assert external["external"]["metric"]["name"] == figure
    assert trigger["metadata"]["query"] == f"max({figure})"


def test_every_process_is_run_by_a_command_that_there_is() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    commands = {
        it["command"][0]
        for name, it in compose["services"].items()
        if "x-toplu" in str(it) or name in ("api", "worker", "migrate")
    }
    assert commands == {"api", "worker", "migrate"}
    for command in commands:
        assert "--config" in run(BIN / "toplu", command, "--help")
    secrets = set(compose["secrets"])
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= secrets


def test_toplu_reads_the_settings_of_a_cluster() -> None:
    settings = load(DEPLOY / "cluster.toml", {})
    assert settings.cluster.listening_at == ("0.0.0.0", 8770)
    assert settings.store.is_shared
    assert settings.bucket is not None
    assert (DEPLOY / "kubernetes" / "cluster.toml").resolve() == DEPLOY / "cluster.toml"


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    for _ in range(2):
        run(DEPLOY / "make-secrets.sh", tmp_path / "secrets")
        made = {it.name: it.read_text() for it in (tmp_path / "secrets").iterdir()}
    assert made["database"].strip() in made["database_url"]
    assert made["bucket"].strip() in made["bucket_keys"]
    assert {it.stat().st_mode & 0o777 for it in (tmp_path / "secrets").iterdir()} == {0o600}
    assert len({made[name] for name in ("database", "bucket", "cluster")}) == 3


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").iterdir()), ids=lambda it: it.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/toplu/bin/toplu", "/bin/true"))
    assert run("systemd-analyze", "verify", here) == ""
    words = run("systemd-analyze", "security", "--offline=true", here)
    assert " OK " in words.splitlines()[-1]
