"""What is wrong with Kubernetes manifests: their fields, how they refer to each other, and what Hubbub asks of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from hubbub.config import Config
from hubbub.transports import drain, server

Document = dict[str, Any]
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
PINNED = re.compile(r".+:(?!latest$)[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi)?")
VARIABLE = re.compile(r"\$\(([A-Z0-9_]+)\)")
CONTAINER = {
    "name", "image", "args", "command", "ports", "env", "envFrom", "resources", "startupProbe", "readinessProbe",
    "livenessProbe", "lifecycle", "securityContext", "volumeMounts",
}  # fmt: skip
POD = {
    "terminationGracePeriodSeconds", "automountServiceAccountToken", "securityContext", "topologySpreadConstraints",
    "initContainers", "containers", "volumes",
}  # fmt: skip
SPECS: dict[tuple[str, str], set[str]] = {
    ("v1", "ConfigMap"): set(),
    ("v1", "Service"): {"selector", "ports", "type", "clusterIP"},
    ("apps/v1", "Deployment"): {"replicas", "selector", "strategy", "minReadySeconds", "template"},
    ("apps/v1", "StatefulSet"): {"serviceName", "replicas", "selector", "template"},
    ("policy/v1", "PodDisruptionBudget"): {"maxUnavailable", "minAvailable", "selector"},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {
        "scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "behavior",
    },
    ("networking.k8s.io/v1", "Ingress"): {"ingressClassName", "tls", "rules"},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"podSelector", "policyTypes", "ingress", "egress"},
}  # fmt: skip
AFTER_WINDOW = drain.PATIENCE + drain.CLAIMING + drain.STOPPING + server.GRACE


def documents(folder: Path) -> list[Document]:
    """All documents of all files. Raises yaml.YAMLError."""
    return [
        document
        for path in sorted(folder.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def faults(all_documents: list[Document], secrets: Mapping[str, set[str]]) -> list[str]:
    """What is wrong, each in a line. `secrets` are those that exist, with their keys."""
    return [
        f"{each.get('kind')} {each.get('metadata', {}).get('name')}: {fault}"
        for each in all_documents
        for fault in _faults(each, all_documents, secrets)
    ]


def _faults(document: Document, everything: list[Document], secrets: Mapping[str, set[str]]) -> Iterator[str]:
    kind = (document.get("apiVersion", ""), document.get("kind", ""))
    if kind not in SPECS:
        yield f"there is no {kind}"
        return
    name = document.get("metadata", {}).get("name", "")
    if not NAME.fullmatch(name):
        yield f"{name!r} is no name"
    top = {"apiVersion", "kind", "metadata", "data" if kind[1] == "ConfigMap" else "spec"}
    yield from _unknown("the document", document, top)
    yield from _unknown("metadata", document["metadata"], {"name", "labels", "annotations"})
    spec = document.get("spec", {})
    yield from _unknown("spec", spec, SPECS[kind])
    match kind[1]:
        case "ConfigMap":
            yield from _texts("data", document["data"])
        case "Deployment" | "StatefulSet":
            yield from _workload(spec, everything, secrets)
        case "Service":
            yield from _service(spec, everything)
        case "PodDisruptionBudget":
            if not _pods(spec["selector"]["matchLabels"], everything):
                yield "it selects no pods"
        case "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            if _find(everything, target["kind"], target["name"]) is None:
                yield f"there is no {target['kind']} {target['name']} to scale"
            if spec["minReplicas"] > spec["maxReplicas"]:
                yield "minReplicas is above maxReplicas"
        case "Ingress":
            yield from _ingress(spec, everything)
            yield from _texts("annotations", document["metadata"].get("annotations", {}))
        case "NetworkPolicy":
            if not _pods(spec["podSelector"]["matchLabels"], everything):
                yield "it selects no pods"


def _unknown(where: str, found: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    for field in found.keys() - known:
        yield f"{where} has no field {field}"


def _texts(where: str, found: Mapping[str, Any]) -> Iterator[str]:
    for key, value in found.items():
        if not isinstance(value, str):
            yield f"{where}: {key} is not text: quote it"


def _find(everything: list[Document], kind: str, name: str) -> Document | None:
    return next(
        (each for each in everything if each["kind"] == kind and each["metadata"]["name"] == name), None
    )


def _pods(labels: Mapping[str, str], everything: list[Document]) -> list[Document]:
    """The templates of pods that a selector finds."""
    templates = [each["spec"]["template"] for each in everything if "template" in each.get("spec", {})]
    return [each for each in templates if labels.items() <= each["metadata"]["labels"].items()]


def _service(spec: Document, everything: list[Document]) -> Iterator[str]:
    pods = _pods(spec["selector"], everything)
    if not pods:
        yield "it selects no pods"
    for port in spec["ports"]:
        if any(port["targetPort"] not in _ports(pod["spec"]) for pod in pods):
            yield f"its pods have no port {port['targetPort']}"


def _ports(pod: Document) -> set[str | int]:
    return {
        each[field]
        for container in pod["containers"]
        for each in container.get("ports", ())
        for field in each
    }


def _ingress(spec: Document, everything: list[Document]) -> Iterator[str]:
    for rule in spec["rules"]:
        for path in rule["http"]["paths"]:
            wanted = path["backend"]["service"]
            service = _find(everything, "Service", wanted["name"])
            if service is None:
                yield f"there is no Service {wanted['name']}"
            elif wanted["port"]["name"] not in {each["name"] for each in service["spec"]["ports"]}:
                yield f"Service {wanted['name']} has no port {wanted['port']['name']}"
            if path["pathType"] not in ("Prefix", "Exact", "ImplementationSpecific"):
                yield f"there is no pathType {path['pathType']}"


def _workload(spec: Document, everything: list[Document], secrets: Mapping[str, set[str]]) -> Iterator[str]:
    template = spec["template"]
    if not spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items():
        yield "its selector does not find its own pods"
    yield from _texts("annotations", template["metadata"].get("annotations", {}))
    pod = template["spec"]
    yield from _unknown("the pod", pod, POD)
    if not pod.get("securityContext", {}).get("runAsNonRoot"):
        yield "it may run as root"
    for container in pod["containers"]:
        for probe in ("readinessProbe", "livenessProbe"):
            if probe not in container:
                yield f"{container['name']} has no {probe}"
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        for fault in _container(container, pod, everything, secrets):
            yield f"{container.get('name')}: {fault}"


def _container(
    container: Document, pod: Document, everything: list[Document], secrets: Mapping[str, set[str]]
) -> Iterator[str]:
    yield from _unknown("the container", container, CONTAINER)
    if not PINNED.fullmatch(container["image"]):
        yield f"{container['image']} is not pinned to a version"
    resources = container.get("resources", {})
    if (
        "memory" not in resources.get("limits", {})
        or not {"cpu", "memory"} <= resources.get("requests", {}).keys()
    ):
        yield "it does not say what it needs"
    for part in resources.values():
        yield from (
            f"{value} is no quantity" for value in part.values() if not QUANTITY.fullmatch(str(value))
        )
    rights = container.get("securityContext", {})
    if rights.get("allowPrivilegeEscalation") is not False or rights.get("capabilities") != {"drop": ["ALL"]}:
        yield "it keeps rights"
    if rights.get("readOnlyRootFilesystem") is not True:
        yield "it may write to its image"
    volumes = {each["name"] for each in pod.get("volumes", ())}
    for mount in container.get("volumeMounts", ()):
        if mount["name"] not in volumes:
            yield f"there is no volume {mount['name']}"
    ports = _ports({"containers": [container]})
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(name, {})
        asked = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
        if probe and asked not in ports:
            yield f"{name}: there is no port {asked}"
    environment = yield from _environment(container, everything, secrets)
    if container["name"] == "hubbub":
        yield from _hubbub(container, pod, environment)


def _environment(container: Document, everything: list[Document], secrets: Mapping[str, set[str]]) -> Any:
    """Yields faults; returns the variables, secrets as a stand-in."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        name = source["configMapRef"]["name"]
        config = _find(everything, "ConfigMap", name)
        if config is None:
            yield f"there is no ConfigMap {name}"
        else:
            found |= config["data"]
    for variable in container.get("env", ()):
        if ("value" in variable) is ("valueFrom" in variable):
            yield f"{variable['name']} has no value, or two"
        text = variable.get("value")
        if text is not None and not isinstance(text, str):
            yield f"{variable['name']} is not text: quote it"
            text = str(text)
        for used in VARIABLE.findall(text or ""):
            if used not in found:
                yield f"{variable['name']}: {used} is not set before it"
        secret = variable.get("valueFrom", {}).get("secretKeyRef")
        if secret is not None and secret["key"] not in secrets.get(secret["name"], ()):
            yield f"there is no {secret['key']} in the Secret {secret['name']}"
        found[variable["name"]] = text or ""
    return found


def _hubbub(container: Document, pod: Document, environment: Mapping[str, str]) -> Iterator[str]:
    """Settings that are none, and a pod that is killed while it drains."""
    for name in environment:
        if name.startswith("HUBBUB_"):
            section, _, field = name.removeprefix("HUBBUB_").lower().partition("__")
            model = Config.model_fields.get(section)
            if model is None or field not in getattr(model.annotation, "model_fields", {}):
                yield f"there is no setting {section}.{field}"
    hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    window = float(environment.get("HUBBUB_SERVER__DRAIN_WINDOW", Config().server.drain_window))
    needed = float(hook[1]) + window + AFTER_WINDOW
    if pod.get("terminationGracePeriodSeconds", 30) < needed:
        yield f"it is killed before it has drained: terminationGracePeriodSeconds must be {needed:g} at least"
    for probe, path in (("readinessProbe", "/health/ready"), ("livenessProbe", "/health/live")):
        if container.get(probe, {}).get("httpGet", {}).get("path") != path:
            yield f"{probe} does not ask {path}"
