"""From a question heard to theses spoken: pure decisions in turn.py, threads in pipeline.py."""
