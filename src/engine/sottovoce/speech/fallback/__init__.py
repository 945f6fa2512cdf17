"""Several backends behind one: when the first fails, the next goes on where it stopped."""
