"""`sottovoce eval`: how well it hears recordings of one's own, from a manifest to a report."""
