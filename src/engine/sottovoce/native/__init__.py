"""The compiled core: ring, conversions, gain, resampling, mixing, PortAudio callbacks. Knows nothing above it."""
