"""Twitter's archive of 2012 to 2018 ("Grailbird"): it holds no pictures, so it is known and explained, not read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bladecheck.archives.containers.source import Source
from bladecheck.archives.item import Item
from bladecheck.errors import ArchiveError

MONTH_FILE = re.compile(r"(?:^|/)data/js/tweets/\d{4}_\d{2}\.js$")
EXPLANATION = (
    "is a Twitter archive of the kind given out from 2012 to 2018. It holds no pictures. "
    "Ask X for a new archive (Settings, Your account, Download an archive of your data) and use that."
)


class GrailbirdReader:
    """Knows the format, and stops."""

    name = "grailbird"
    title = "Twitter archive of 2012 to 2018"

    def detect(self, source: Source) -> float:
        """Raises ArchiveError with the explanation where the source is one."""
        if any(MONTH_FILE.search(name) for name in source.names()):
            raise ArchiveError(f"{source.path.name} {EXPLANATION}")
        return 0.0

    def read(self, source: Source) -> Iterator[Item]:
        raise ArchiveError(f"{source.path.name} {EXPLANATION}")
