"""Figures for Prometheus, in a registry of their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from aggregator.rounds import Rounds
from aggregator.store import Store
from edge.errors import ConfigError


class Metrics:
    """What a dashboard wants to know; every figure is read from the rounds and the store."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._round = self._gauge("round", "Number of the running round")
        self._deadline = self._gauge("round_deadline_seconds", "Of its phase, since the epoch")
        self._extensions = self._gauge("round_extensions", "How often its deadline was extended")
        self._contributors = self._gauge("round_participants", "Distinct, with accepted updates")
        self._connected = self._gauge("broker_connected", "1 while the MQTT broker answers")
        self._accepted = self._gauge("updates_accepted", "Of a participant", ["participant"])
        self._refused = self._gauge("messages_refused", "Of a participant", ["participant"])
        self._last_seen = self._gauge(
            "participant_last_seen_seconds", "Since the epoch", ["participant"]
        )

    def serve(self, host: str, port: int) -> None:
        """Answer ``GET /metrics`` from a thread of its own; ConfigError where nobody can listen."""
        try:
            start_http_server(port, host, registry=self.registry)
        except OSError as error:
            raise ConfigError(
                f"metrics: {host} port {port}: {error.strerror}: choose another metrics.port, or "
                "an address of this machine as metrics.host"
            ) from None

    def show(self, rounds: Rounds, *, connected: bool) -> None:
        """Take over how the round stands."""
        running = rounds.running
        self._round.set(running.number)
        self._deadline.set(running.deadline_s)
        self._extensions.set(running.extensions)
        self._contributors.set(len(rounds.contributors))
        self._connected.set(connected)

    def show_members(self, store: Store) -> None:
        """Take over how the participants stand."""
        for member in store.members():
            self._accepted.labels(member.name).set(member.accepted)
            self._refused.labels(member.name).set(member.refused)
            self._last_seen.labels(member.name).set(member.last_seen_s)

    def _gauge(self, name: str, what: str, labels: tuple[str, ...] | list[str] = ()) -> Gauge:
        return Gauge(f"vad_aggregator_{name}", what, labels, registry=self.registry)
