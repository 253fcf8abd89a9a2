"""What the loops count (Prometheus). See `telemetry.operations` for what is measured on demand."""

from prometheus_client import Counter, Histogram

WRITER_READINGS = Counter(
    "outrider_writer_readings_total",
    "Readings taken from the ingress log, by what became of them",
    ["outcome"],
)
WRITER_BATCH_SECONDS = Histogram(
    "outrider_writer_batch_seconds",
    "From taking a batch from the ingress log to its acknowledgement",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
WRITER_RESTARTS = Counter(
    "outrider_writer_restarts_total", "Times the writer lost the database or Redis and began anew"
)
ROUTE_READINGS = Counter(
    "outrider_route_readings_total", "Readings handed to a route of the stored log", ["route"]
)
ROUTE_FAILURES = Counter(
    "outrider_route_failures_total", "Entries a route's handler could not take", ["route"]
)
ROUTE_GAPS = Counter(
    "outrider_route_gaps_total", "Times a route found entries gone from the stored log", ["route"]
)
