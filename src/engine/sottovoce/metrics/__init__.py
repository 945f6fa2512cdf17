"""Stages of a turn; and the metrics of a session, for Prometheus and OpenTelemetry."""
