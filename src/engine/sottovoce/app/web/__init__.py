"""The page of a session: what the wearer sees in a browser, and what the page can ask for; see docs/web.md.

``sections`` makes what the page shows of what a session tells; ``hub`` keeps the newest of it for each client; both are
pure. ``board`` takes notices to the loop of ``server``, whose thread serves the page; ``guard`` lets in whom it knows,
``routes`` answers. ``page`` opens all of it for a session.
"""
