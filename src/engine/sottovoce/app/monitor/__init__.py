"""`sottovoce monitor`: what the engine does, so that a person sees at a glance whether it is healthy.

``look``, ``verdict`` and ``scene`` say what was seen and what it means, ``view`` and ``lines`` make a picture, a line
or JSON of that; all of them are pure. ``command`` has devices, terminal and time, ``sound`` what is played meanwhile.
"""
