"""Where the messages of a federation live on the broker.

========================================  ========  ==============================================
topic, below ``<p>/fl/<federation>/``     retained  payload
========================================  ========  ==============================================
``round``                                 yes       sealed ``Announcement``
``aggregator/blob/<id>/<at>``             no        bytes of the model from ``<at>`` on
``aggregator/cluster-<label>/<id>/<at>``  no        the same of the model of one cluster
``<participant>/up/<kind>``               no        sealed, to the aggregator
``<participant>/down/<kind>``             no        sealed, to the participant
``<participant>/blob/<id>/<at>``          no        bytes of an update from ``<at>`` on
========================================  ========  ==============================================

So one participant's access list is three lines: write ``<participant>/up/+`` and
``<participant>/blob/+/+``, read ``<participant>/down/+``; everybody reads ``round`` and
``aggregator/+/+/+``, and listens to its own cluster's branch alone: the announcement says which
that is. What is sealed is an ``edge.wire.envelope``; the bytes of a blob are not: the sealed
message that announces a blob carries its hash.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import ConfigError, MalformedMessageError
from edge.wire.topics import MAX_SLASHES, check_id

AGGREGATOR = "aggregator"  # its name among the participants, which none of them may bear
_BLOB, _CLUSTER = "blob", "cluster-"
_DEEPEST = 6  # slashes that follow the prefix in <p>/fl/<f>/<participant>/blob/<id>/<at>
_RESERVED = frozenset({AGGREGATOR, "round"})
_LARGEST_OFFSET = 2**40


@dataclass(frozen=True, slots=True)
class FederationTopics:
    """Every topic of one federation; refuses names that would not be topics."""

    prefix: str  # "vad", "site/vad"
    federation: str

    def __post_init__(self) -> None:
        for level in self.prefix.split("/"):
            check_id(level, f"level of the topic prefix {self.prefix!r}:")
        check_id(self.federation, "federation")
        if self.prefix.count("/") + _DEEPEST > MAX_SLASHES:
            raise ConfigError(
                f"topic prefix {self.prefix!r} is too deep for a federation: at most "
                f"{MAX_SLASHES - _DEEPEST} slashes, so that no topic has more than {MAX_SLASHES}"
            )

    @property
    def round(self) -> str:
        """The announcement of the running round; retained."""
        return f"{self._root}/round"

    @property
    def every_up(self) -> str:
        """Filter of all that participants say to the aggregator."""
        return f"{self._root}/+/up/+"

    @property
    def every_blob(self) -> str:
        """Filter of everybody's chunks."""
        return f"{self._root}/+/blob/+/+"

    @property
    def model_blobs(self) -> str:
        """Filter of the chunks of the one model."""
        return f"{self._root}/{AGGREGATOR}/{_BLOB}/+/+"

    def cluster_blobs(self, label: int) -> str:
        """Filter of the chunks of one cluster's model."""
        return f"{self._root}/{AGGREGATOR}/{_CLUSTER}{label}/+/+"

    def every_down(self, participant: str) -> str:
        """Filter of all that the aggregator says to one participant."""
        return f"{self._of(participant)}/down/+"

    def up(self, participant: str, kind: str) -> str:
        """From a participant to the aggregator."""
        return f"{self._of(participant)}/up/{kind}"

    def down(self, participant: str, kind: str) -> str:
        """From the aggregator to a participant."""
        return f"{self._of(participant)}/down/{kind}"

    def blob(self, sender: str, blob_id: str, offset: int) -> str:
        """One chunk; ``sender`` is a participant or ``AGGREGATOR``."""
        return f"{self._root}/{sender}/{_BLOB}/{blob_id}/{offset}"

    def cluster_blob(self, label: int, blob_id: str, offset: int) -> str:
        """One chunk of a cluster's model."""
        return f"{self._root}/{AGGREGATOR}/{_CLUSTER}{label}/{blob_id}/{offset}"

    def is_blob(self, topic: str) -> bool:
        """Whether ``parse_blob`` is to read it."""
        return _is_chunk(self._levels(topic))

    def parse_message(self, topic: str) -> tuple[str, str]:
        """Participant and kind of an ``up`` or ``down`` topic; MalformedMessageError otherwise."""
        levels = self._levels(topic)
        if len(levels) != 3 or levels[1] not in ("up", "down"):
            raise MalformedMessageError(f"{topic}: no topic of a participant")
        return levels[0], levels[2]

    def parse_blob(self, topic: str) -> tuple[str, str, int]:
        """Sender, blob and offset of a chunk's topic; MalformedMessageError otherwise."""
        levels = self._levels(topic)
        well_formed = len(levels) == 4 and _is_chunk(levels)
        if not (well_formed and levels[3].isascii() and levels[3].isdecimal()):
            raise MalformedMessageError(f"{topic}: no topic of a chunk")
        if len(levels[3]) > len(str(_LARGEST_OFFSET)):
            raise MalformedMessageError(f"{topic}: an offset beyond all blobs")
        return levels[0], levels[2], int(levels[3])

    @property
    def _root(self) -> str:
        return f"{self.prefix}/fl/{self.federation}"

    def _of(self, participant: str) -> str:
        return f"{self._root}/{check_participant(participant)}"

    def _levels(self, topic: str) -> list[str]:
        below = topic.removeprefix(f"{self._root}/")
        return [] if below == topic else below.split("/")


def _is_chunk(levels: list[str]) -> bool:
    """Whether the levels below the federation are those of a chunk."""
    branch = levels[1] if len(levels) > 1 else ""
    return branch == _BLOB or (levels[:1] == [AGGREGATOR] and branch.startswith(_CLUSTER))


def check_participant(name: str) -> str:
    """Return ``name`` if a participant may bear it; ConfigError otherwise."""
    if name in _RESERVED:
        raise ConfigError(f"participant {name!r}: the name is taken by a topic of the federation")
    return check_id(name, "participant")
