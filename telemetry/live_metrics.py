"""What the live connections count (Prometheus)."""

from prometheus_client import Counter, Gauge

STREAMS = Gauge("outrider_live_streams", "Open event streams.", multiprocess_mode="livesum")
STREAMS_BEGUN = Counter(
    "outrider_live_begun_streams", "Event streams begun: anew, resumed, or resync.", ["how"]
)
STREAMS_REFUSED = Counter(
    "outrider_live_refused_streams", "Event streams refused before they began.", ["code"]
)
STREAMS_ENDED = Counter(
    "outrider_live_ended_streams", "Event streams ended by us: why.", ["reason"]
)
