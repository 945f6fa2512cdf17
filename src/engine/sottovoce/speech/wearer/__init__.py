"""The wearer's voice: how it is enrolled, kept, told from others', and cut out of what several have said."""
