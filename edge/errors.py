"""Every error that vad-edge raises on purpose.

::

    VadError
    ├── ConfigError                 a file the operator wrote is wrong; says file, line and remedy
    ├── SourceError
    │   ├── SourceUnavailableError  the camera or file cannot be read now; trying again may help
    │   └── SourceUnusableError     it never will: no such file, no video stream, a bad address
    ├── ModelError                  a model file or its label list cannot be used
    ├── FeatureVersionError         features or normality of another ``spec_version``
    ├── TrainingError               learning ended without a usable model
    ├── NotLearntError              scoring was asked of a camera that has no normality yet
    ├── DatasetError                an evaluation data set's folder is not as documented
    ├── MalformedMessageError       bytes from outside do not parse
    ├── PrivacyError                something would leave that may not leave; it stays here
    ├── BrokerRefusedError          the MQTT broker said no; carries its reason
    └── StorageError                the disk is full or a file cannot be written

A message says what happened, where, and what to do about it. It never carries a password.
"""

from __future__ import annotations


class VadError(Exception):
    """Base of all errors that a user can act on; the command line prints it without a traceback."""


class ConfigError(VadError):
    """The configuration is wrong; the message names file, line and remedy."""


class SourceError(VadError):
    """A camera, file or folder of images cannot be read."""


class SourceUnavailableError(SourceError):
    """The source cannot be read at the moment; the supervisor tries again."""


class SourceUnusableError(SourceError):
    """The source can never be read as configured; trying again does not help."""


class ModelError(VadError):
    """A model file, its layout or its label list cannot be used."""


class FeatureVersionError(VadError):
    """Something learnt belongs to another version of the features."""


class TrainingError(VadError):
    """Learning cannot start, or ended without a model that may be used."""


class NotLearntError(VadError):
    """A camera without learnt normality was asked for a score."""


class DatasetError(VadError):
    """An evaluation data set is not laid out as documented."""


class MalformedMessageError(VadError):
    """Untrusted bytes did not parse."""


class PrivacyError(VadError):
    """What was asked would give away more than was promised; nothing has left."""


class BrokerRefusedError(VadError):
    """The MQTT broker refused; ``reason`` is its own word for why."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StorageError(VadError):
    """A file could not be written; nothing that was stored before is lost."""


MISCONFIGURED = (ConfigError, ModelError, FeatureVersionError, SourceUnusableError)
"""Errors that last until the operator changes the configuration or a file that it names."""
