"""What every configuration file's schema is made of, and how its mistakes are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import ConfigError
from edge.yamlfile import YamlFile, read_yaml

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of the file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TlsSection(Section):
    """Certificates for the broker; give ``cert`` and ``key`` when it asks for a client's."""

    ca: Path
    cert: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> TlsSection:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key belong together: give both or neither")
        return self

    def anchored(self, at: Callable[[Path | None], Path | None]) -> TlsSection:
        """The same files, by paths that ``at`` has made absolute."""
        return self.model_copy(
            update={"ca": at(self.ca), "cert": at(self.cert), "key": at(self.key)}
        )


Whole = TypeVar("Whole", bound=Section)


def read_config(
    whole: type[Whole], path: Path, environment: Mapping[str, str], *, example: str
) -> Whole:
    """Read and check one file; ``example`` is a file that shows every setting.

    Raises ConfigError with every mistake that was found, one a line.
    """
    file = read_yaml(path, environment)
    try:
        return whole.model_validate(file.values)
    except ValidationError as error:
        raise ConfigError(_describe(error, file, example)) from None


def beside(path: Path) -> Callable[[Path | None], Path | None]:
    """Makes a path that was written relative to the file ``path`` independent of the shell's."""
    folder = path.resolve().parent
    return lambda named: None if named is None else folder / named.expanduser()


def _describe(error: ValidationError, file: YamlFile, example: str) -> str:
    found = []
    for mistake in error.errors(include_url=False, include_input=False):
        place = [step for step in mistake["loc"] if step != "[key]"]
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            message = f"no such setting; {example} shows all of them"
        name = ".".join(map(str, place))
        found.append((file.line(place), f"{name}: {message}" if name else message))
    return "\n".join(f"{file.path}:{line}: {text}" for line, text in sorted(found))
