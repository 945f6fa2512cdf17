"""The wearer's own notes: reading, and an index that finds the right one."""
