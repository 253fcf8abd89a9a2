"""What the edge measures (Prometheus). Counted by the batch, never by the frame."""

from prometheus_client import Counter, Gauge, Histogram

ACCEPTED = Counter("outrider_edge_accepted_readings", "Readings durable in the ingress log.")
REFUSED = Counter("outrider_edge_refused_readings", "Readings refused for good.", ["code"])
APPEND_SECONDS = Histogram(
    "outrider_edge_append_seconds",
    "Round trip of an append to the logs, fsync included.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
BATCH_READINGS = Histogram(
    "outrider_edge_batch_readings",
    "Readings of one append.",
    buckets=(1, 5, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000),
)
APPENDS_FAILED = Counter(
    "outrider_edge_failed_appends", "Appends that met a full log or no Redis.", ["reason"]
)
BLOCKED_LANES = Gauge("outrider_edge_blocked_lanes", "Partitions that take no appends now.")
SOCKETS = Gauge("outrider_edge_sockets", "Open device sockets.")
CLOSED = Counter("outrider_edge_closed_sockets", "Device sockets closed by us.", ["code"])
HANDSHAKES_REFUSED = Counter(
    "outrider_edge_refused_handshakes", "Device sockets refused before they opened.", ["code"]
)
REGRESSIONS = Counter("outrider_edge_seq_regressions", "Frames whose sequence number did not grow.")
