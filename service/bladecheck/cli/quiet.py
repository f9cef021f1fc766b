"""What other libraries say goes nowhere near the terminal: it is not for the person who reads it."""

from __future__ import annotations

import logging
import sys
import warnings


def hush() -> None:
    """Keeps other libraries' log lines and warnings off the terminal, unless Python was told to show warnings (-W)."""
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
