"""`bladecheck doctor`: is everything here that Bladecheck needs?"""

from __future__ import annotations

import platform
import sys
import time

from PIL import features

from bladecheck import __version__
from bladecheck.cli import exit_codes
from bladecheck.cli.extras import extras, missing, version
from bladecheck.core.bundle import available
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.errors import BladecheckError
from bladecheck.machine import usable_cores

PURPOSES = {
    "serve": "the service and its page",
    "archive": "scoring archives, exports and reports",
    "estimate": "totals with intervals",
    "cloud": "archives in object stores and on web servers",
    "dedupe": "finding near duplicates",
    "heic": "HEIC pictures",
    "video": "frames of videos",
    "ray": "scoring on a Ray cluster",
    "pack": "a model's bill of materials",
    "sign": "signing models",
    "train": "training models",
}


def doctor() -> int:
    """Check the installation and the models, and say what is missing and how to get it."""
    print(f"bladecheck {__version__}, Python {platform.python_version()}, {sys.platform}, {usable_cores()} cores")
    for package in ("onnxruntime", "numpy", "pillow"):
        print(f"ok       {package} {version(package)}")
    for codec in ("jpg", "webp", "avif", "zlib"):
        print(f"{'ok      ' if features.check(codec) else 'missing '} {codec} decoder")
    for extra, libraries in extras().items():
        print(_extra(extra, libraries))
    healthy = [_check(name) for name in available()]
    if not healthy:
        print("missing  models: no bundle was found; reinstall bladecheck")
    return exit_codes.OK if healthy and all(healthy) else exit_codes.NO_MODEL


def _extra(extra: str, libraries: list[str]) -> str:
    """Whether an optional part is here, whole or in part, and what brings it."""
    absent = missing(libraries)
    purpose = f" ({PURPOSES[extra]})" if extra in PURPOSES else ""
    if not absent:
        return f"ok       {extra}{purpose}: {', '.join(libraries)}"
    lacking = f" without {', '.join(absent)}" if len(absent) < len(libraries) else ""
    state = "partly  " if lacking else "absent  "
    return f"{state} {extra}{purpose}{lacking}; if you need it: pip install 'bladecheck[{extra}]'"


def _check(name: str) -> bool:
    started = time.perf_counter()
    try:
        outcome = replay(Classifier.open(name))
    except BladecheckError as error:
        print(f"broken   model {name}: {error.detail}")
        return False
    print(f"ok       model {name}: {outcome.cases} golden pictures agree, {time.perf_counter() - started:.1f} s")
    return True
