"""What the command's exit code says; docs/reference.md lists them."""

OK = 0
USAGE = 1
"""Wrong usage, or something that the user can put right: a missing file, a foreign run, a setting out of range."""
SOME_FAILED = 2
"""Ran to the end, and not all is well: pictures not readable, rows left out, shards missing, figures that differ."""
NO_MODEL = 3
"""No usable bundle."""
INTERRUPTED = 130
"""Ctrl-C, as shells count it: 128 + SIGINT."""
BROKEN_PIPE = 141
"""Whoever read the output has gone: 128 + SIGPIPE."""
