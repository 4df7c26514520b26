from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.manifests import AFTER_WINDOW, Document, documents, faults

from hubbub import config as settings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
SECRETS = {"hubbub": {"hmac-secret", "api-key-hash", "redis-url", "storage-url"}}
DOCUMENTS = documents(FOLDER)


def test_nothing_is_wrong_with_the_manifests() -> None:
    assert faults(DOCUMENTS, SECRETS) == []


def test_the_secret_is_told_with_all_its_keys() -> None:
    text = (FOLDER / "hubbub.yaml").read_text()
    assert set(re.findall(r"--from-literal=([a-z-]+)=", text)) == SECRETS["hubbub"]


def test_the_comment_about_the_grace_is_true() -> None:
    text = (FOLDER / "hubbub.yaml").read_text()
    assert f"({AFTER_WINDOW:g} s at the most)" in text


def test_a_node_starts_with_these_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    container = find("Deployment")["spec"]["template"]["spec"]["containers"][0]
    values: dict[str, str] = dict(find("ConfigMap")["data"])
    known = {
        "hmac-secret": "0123456789abcdef0123456789abcdef",
        "api-key-hash": "sha256:" + "0" * 64,
        "redis-url": "redis://redis:6379/0",
        "storage-url": "postgresql://user:password@postgres/hubbub",
        "status.podIP": "10.1.2.3",
        "metadata.name": "hubbub-7d4b9",
    }
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        text = (
            variable.get("value")
            or known[source.get("secretKeyRef", {}).get("key") or source["fieldRef"]["fieldPath"]]
        )
        values[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], text)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    config = settings.load()
    settings.validate(config)
    assert config.cluster.address == "10.1.2.3:8000"
    assert config.cluster.name == "hubbub-7d4b9"
    assert config.auth.api_keys == (known["api-key-hash"],)
    assert config.server.trusted_proxies == ("10.0.0.0/8",)
    assert (config.broker.type, config.server.host, config.server.port) == ("redis", "0.0.0.0", 8000)


def find(kind: str, where: list[Document] | None = None) -> Document:
    return next(each for each in where or DOCUMENTS if each["kind"] == kind)


def pod(all_documents: list[Document]) -> Any:
    return find("Deployment", all_documents)["spec"]["template"]["spec"]


def container(all_documents: list[Document]) -> Any:
    return pod(all_documents)["containers"][0]


def _set(
    place: Callable[[list[Document]], Any], field: str | int, value: Any
) -> Callable[[list[Document]], None]:
    def change(all_documents: list[Document]) -> None:
        place(all_documents)[field] = value

    return change


def _drop(place: Callable[[list[Document]], Any], field: str | int) -> Callable[[list[Document]], None]:
    def change(all_documents: list[Document]) -> None:
        del place(all_documents)[field]

    return change


def data(all_documents: list[Document]) -> Any:
    return find("ConfigMap", all_documents)["data"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set(pod, "terminationGracePeriodSeconds", 40), "killed before it has drained"),
        (_set(data, "HUBBUB_SERVER__DRAIN_WINDOW", "60"), "killed before it has drained"),
        (_set(data, "HUBBUB_SERVER__NONSENSE", "1"), "no setting server.nonsense"),
        (_set(data, "HUBBUB_SERVER__PORT", 8000), "HUBBUB_SERVER__PORT is not text"),
        (_set(container, "imagePullPolicies", "Always"), "no field imagePullPolicies"),
        (_set(container, "image", "hubbub:latest"), "not pinned"),
        (_set(container, "image", "hubbub"), "not pinned"),
        (_drop(container, "readinessProbe"), "has no readinessProbe"),
        (_set(lambda all: container(all)["readinessProbe"]["httpGet"], "path", "/"), "does not ask"),
        (
            _set(lambda all: container(all)["livenessProbe"]["httpGet"], "path", "/health/ready"),
            "does not ask",
        ),
        (_set(lambda all: container(all)["livenessProbe"]["httpGet"], "port", "web"), "there is no port web"),
        (_drop(lambda all: container(all)["resources"], "limits"), "does not say what it needs"),
        (_set(lambda all: container(all)["resources"]["limits"], "memory", "2 GB"), "is no quantity"),
        (_set(container, "securityContext", {}), "keeps rights"),
        (_drop(pod, "securityContext"), "may run as root"),
        (_drop(pod, "volumes"), "there is no volume data"),
        (_drop(lambda all: container(all)["env"], 0), "POD_IP is not set before it"),
        (_set(lambda all: container(all)["env"][0], "value", "x"), "has no value, or two"),
        (
            _set(lambda all: container(all)["env"][3]["valueFrom"]["secretKeyRef"], "key", "x"),
            "there is no x in the Secret hubbub",
        ),
        (_set(lambda all: find("Service", all)["spec"]["selector"], "app", "x"), "selects no pods"),
        (_set(lambda all: find("Service", all)["spec"]["ports"][0], "targetPort", "x"), "have no port x"),
        (_set(lambda all: find("Ingress", all)["metadata"]["annotations"], "x", 90), "x is not text"),
        (
            _set(
                lambda all: find("Ingress", all)["spec"]["rules"][0]["http"]["paths"][0]["backend"][
                    "service"
                ],
                "name",
                "x",
            ),
            "there is no Service x",
        ),
        (
            _set(lambda all: find("HorizontalPodAutoscaler", all)["spec"]["scaleTargetRef"], "name", "x"),
            "no Deployment x to scale",
        ),
        (
            _set(lambda all: find("HorizontalPodAutoscaler", all)["spec"], "minReplicas", 10),
            "above maxReplicas",
        ),
        (
            _set(lambda all: find("Deployment", all)["spec"]["template"]["metadata"], "labels", {"a": "b"}),
            "does not find its own pods",
        ),
        (_set(lambda all: find("Deployment", all), "apiVersion", "apps/v1beta1"), "there is no"),
        (_set(lambda all: find("Deployment", all)["metadata"], "name", "Hub_bub"), "is no name"),
        (_set(lambda all: find("Deployment", all)["spec"], "replica", 3), "no field replica"),
    ],
)
def test_what_is_wrong_is_found(change: Callable[[list[Document]], None], said: str) -> None:
    broken = copy.deepcopy(DOCUMENTS)
    change(broken)
    found = faults(broken, SECRETS)
    assert any(said in fault for fault in found), found
