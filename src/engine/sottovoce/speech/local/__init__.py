"""Models that lie on this machine: which there are, how they come, and the thread that runs them."""
