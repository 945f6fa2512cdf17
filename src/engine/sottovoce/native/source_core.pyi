"""One playing input of the mixer, as the callback sees it; nothing in it is for Python."""
