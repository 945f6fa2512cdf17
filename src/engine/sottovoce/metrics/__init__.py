"""Stages of a turn, counters and histograms."""
