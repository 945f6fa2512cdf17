"""What the case `hearing` measures: a module for each part, with ``TARGETS`` and ``run(quick)`` as a case has them."""
