"""The compiled core: ring, conversions, gain, resampling, mixing and the PortAudio callbacks. Knows nothing above it."""
