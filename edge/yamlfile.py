"""YAML files that operators write: plain values in, the line of each value remembered.

Secrets come from the environment only: ``{VAD_NAME}`` anywhere in a value is replaced by
that variable, percent-encoded in the login of an RTSP address. A password that is written out is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from edge.errors import ConfigError

SECRET = re.compile(r"\{(VAD_[A-Z0-9_]+)\}")
RTSP = re.compile(r"rtsps?://", re.IGNORECASE)
RTSP_PASSWORD = re.compile(
    r"rtsps?://(?:[^/]*:[^/@]+@|.*[?&]pass(?:word|wd)?=[^&])", re.IGNORECASE | re.DOTALL
)
WRITTEN_OUT = "a secret is never written here: put {VAD_EDGE_NAME} and set that variable"


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed file: its values, and where each of them stands."""

    path: Path
    values: dict[str, Any]
    root: yaml.MappingNode

    def line(self, place: Sequence[str | int]) -> int:
        """The line, from 1, of the value at ``place``, or of the closest mapping around it."""
        node: yaml.Node = self.root
        line = node.start_mark.line + 1
        for step in place:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line + 1
        return line


def read_yaml(path: Path, environment: Mapping[str, str]) -> YamlFile:
    """Read a mapping; raises ConfigError with file and line."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}:1: expected keys such as host: and cameras:")
    try:
        return YamlFile(path, _Builder(path, environment).build(root), root)
    except RecursionError:
        raise ConfigError(f"{path}: an alias contains itself, or values nest too deep") from None


@dataclass(frozen=True, slots=True)
class _Builder:
    path: Path
    environment: Mapping[str, str]

    def build(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item) for item in node.value]
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError):
            raise self._error(node, f"{node.value!r} cannot be read as {node.tag}") from None
        return self._with_secrets(node, value) if isinstance(value, str) else value

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key must be a plain word")
            if key_node.value in values:
                raise self._error(key_node, f"{key_node.value}: stands twice; keep one")
            values[key_node.value] = self.build(value_node)
            if key_node.value == "password" and _is_written_out(value_node):
                raise self._error(value_node, f"password: {WRITTEN_OUT}")
        return values

    def _with_secrets(self, node: yaml.Node, text: str) -> str:
        is_address = RTSP.match(text)
        if RTSP_PASSWORD.match(SECRET.sub("", text)):
            raise self._error(node, f"the password of the address: {WRITTEN_OUT}")

        def secret(match: re.Match[str]) -> str:
            if (found := self.environment.get(match[1])) is None:
                raise self._error(node, f"the environment has no {match[1]}: set it")
            in_login = is_address and "@" in text[match.end() :].partition("/")[0]
            return quote(found, safe="") if in_login else found

        return SECRET.sub(secret, text)

    def _error(self, node: yaml.Node, message: str) -> ConfigError:
        return ConfigError(f"{self.path}:{node.start_mark.line + 1}: {message}")


def _is_written_out(node: yaml.Node) -> bool:
    """Whether a password is anything but a variable's name, or none at all."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
        return False
    return SECRET.fullmatch(node.value) is None
