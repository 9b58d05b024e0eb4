"""What is counted, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from opportune.wire import Answered, Ingested
from opportune.wire.caring import FeedbackTaken

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one server; labels are endpoints and words, never anything of a customer."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("opportune_requests", "Requests answered", ["path", "status"], registry=registry)
        self._seconds = Histogram(
            "opportune_request_seconds", "Time to answer", ["path"], buckets=SHORT, registry=registry
        )
        self._events = Counter(
            "opportune_ingest_events", "Events by what became of them", ["result"], registry=registry
        )
        self._commit = Histogram("opportune_commit_seconds", "Commits to disk", buckets=SHORT, registry=registry)
        self._work = Histogram("opportune_group_work_seconds", "Work before a commit", buckets=SHORT, registry=registry)
        self._jobs = Counter("opportune_group_jobs", "Jobs that were committed", registry=registry)
        self._decisions = Counter("opportune_decisions", "Decisions by result", ["result"], registry=registry)
        self._outcomes = Counter(
            "opportune_outcomes", "Outcomes by whether they were news", ["news"], registry=registry
        )
        self._webhooks = Counter("opportune_webhooks", "Webhook deliveries by result", ["result"], registry=registry)
        self._feedback = Counter(
            "opportune_feedback", "Notifications of providers by result", ["provider", "result"], registry=registry
        )
        self._messages = Counter(
            "opportune_messages", "Messages by what became of them", ["channel", "result"], registry=registry
        )
        self.lag = Gauge("opportune_outbox_lag_seconds", "How late the oldest message is", registry=registry)
        self.retries = Counter("opportune_client_retries", "Requests that a client sent again", registry=registry)
        self.waiting = Gauge("opportune_writer_waiting", "Jobs that wait for the writer", registry=registry)
        self.streams = Gauge("opportune_streams_open", "Open streams", registry=registry)
        self.letters = Gauge("opportune_dead_letters", "Events that are set aside", registry=registry)
        self.leaks = Gauge(
            "opportune_holdout_leaks", "Marketing to customers who are held out", ["holdout", "channel", "what"],
            registry=registry,
        )  # fmt: skip
        # labels are looked up once: that costs as much as the counting
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._taken, self._again, self._refused = (self._events.labels(r) for r in ("taken", "duplicate", "rejected"))
        self._acted, self._silent, self._peeked = (self._decisions.labels(r) for r in ("action", "silence", "peek"))

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count one answer of an endpoint."""
        known = self._known.get((path, status))
        if known is None:
            known = self._known[path, status] = (
                self._requests.labels(path or "unknown", str(status)),
                self._seconds.labels(path or "unknown"),
            )
        known[0].inc()
        known[1].observe(seconds)

    def ingested(self, told: Ingested) -> None:
        """Count what became of events."""
        self._taken.inc(told.taken)
        if told.duplicates:
            self._again.inc(told.duplicates)
        if told.rejected:
            self._refused.inc(told.rejected)

    def decided(self, answer: Answered) -> None:
        """Count one decision."""
        one = self._peeked if answer.decision_id is None else self._acted if answer.actions else self._silent
        one.inc()

    def responded(self, news: bool) -> None:
        """Count one outcome."""
        self._outcomes.labels(str(news).lower()).inc()

    def delivered(self, result: str) -> None:
        """Count one try of a webhook: delivered, failed, or given_up."""
        self._webhooks.labels(result).inc()

    def tried(self, channel: str, result: str) -> None:
        """Count one message that was tried: sent, later, refused, in_doubt, or not_rendered."""
        self._messages.labels(channel, result).inc()

    def fed_back(self, provider: str, told: FeedbackTaken) -> None:
        """Count what a provider told."""
        for result in ("taken", "known", "unknown"):
            self._feedback.labels(provider, result).inc(getattr(told, result))

    def group(self, jobs: int, work: float, commit: float) -> None:
        """Count one group of the writer."""
        self._jobs.inc(jobs)
        self._work.observe(work)
        self._commit.observe(commit)

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self._registry)
