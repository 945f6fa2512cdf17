"""Devices, streams, Player and Recorder: the engine by itself."""
