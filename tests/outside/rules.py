"""The rules on which the public description and the program may differ for a while, in one place.

Each switch says what the program does today; the comment says what the description asks for. When the program
follows, the switch is turned, and its old side goes.
"""

import os

# A trace's session and user: the root's, then the first span's in time that has one. Otherwise by time alone.
ROOTS_SESSION_FIRST = True

# A writer that has the folder open while it is renamed leaves both databases whole: asked for with the variable.
RENAME_WHILE_OPEN = True
