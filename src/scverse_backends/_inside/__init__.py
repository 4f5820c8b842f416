"""What the tools see of a dispatcher beyond its public names.

The command line, the testing kit and the Sphinx extension stand on top of everything. They use this room instead of
reaching into the parts one by one, so that what the parts look like stays their own business.

``hosts`` finds a host and its dispatchers by the name of a module. ``dispatchers`` looks into one, ``inspected`` holds
one backend against its host, ``offered`` says what backends add to it. ``watching`` is told of calls, ``standing_in``
brings a dispatcher back to what it was. ``words`` are the parts of other rooms that tools share.

A door: it imports nothing. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["dispatchers", "hosts", "inspected", "offered", "standing_in", "watching", "words"]
