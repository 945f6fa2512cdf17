"""What every part may use: errors, units, formats, clock, log, queues, cancellation."""
