"""What CRI-O writes about its containers: the pods that they are of."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from thinscope.names.fields import string

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Pods"]

_POD = "io.kubernetes.pod.name"
_NAMESPACE = "io.kubernetes.pod.namespace"
_CONTAINER = "io.kubernetes.container.name"
_NONE: Mapping[str, str] = MappingProxyType({})

_POD_NAME = re.compile(r"k8s_([^_]+)_([^_]+)_[^_]+_\d+")
"""``k8s_NAME_NAMESPACE_UID_ATTEMPT``; Kubernetes allows ``_`` in none of them."""


class Pods:
    """The containers of CRI-O among all, under the labels that Kubernetes gives others."""

    def __init__(self, metadata: Mapping[str, Mapping[str, object]]) -> None:
        """Keep what was written about each container, by its id."""
        self._written = {id_: wrote for id_, wrote in metadata.items() if wrote.get("pod-name")}
        self._pods = {
            string(wrote.get("pod-id")): (string(wrote.get("metadata-name")), namespace)
            for id_, wrote in self._written.items()
            if self.is_pod(id_) and (namespace := string(wrote.get("namespace")))
        }

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._written)

    def is_of(self, id_: str) -> bool:
        """Return whether a container is one of CRI-O's."""
        return id_ in self._written

    def is_pod(self, id_: str) -> bool:
        """Return whether a container is the one that stands for its pod."""
        return self._written[id_].get("pod") is True

    def labels(self, id_: str) -> Mapping[str, str]:
        """Return pod, namespace and container under their usual labels, as far as known."""
        if id_ not in self._written:
            return _NONE
        wrote = self._written[id_]
        found = _POD_NAME.fullmatch(string(wrote.get("pod-name")))
        pod, namespace = found.groups() if found else (string(wrote.get("pod-name")), "")
        # What was written about the pod itself is not abridged.
        pod, namespace = self._pods.get(string(wrote.get("pod-id")), (pod, namespace))
        container = "POD" if self.is_pod(id_) else string(wrote.get("metadata-name"))
        labels = {_POD: pod, _NAMESPACE: namespace, _CONTAINER: container}
        return MappingProxyType({key: value for key, value in labels.items() if value})
