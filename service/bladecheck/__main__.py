"""`python -m bladecheck` is the command `bladecheck`."""

from bladecheck.cli import main

main()
