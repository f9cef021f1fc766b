"""`bladecheck doctor`: is everything here that Bladecheck needs?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time

from PIL import features

from bladecheck import __version__
from bladecheck.core.bundle import available
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.errors import BladecheckError

OPTIONAL = {
    "fastapi": "the service: pip install 'bladecheck[serve]'",
    "pi-heif": "HEIC pictures: pip install 'bladecheck[heic]'",
}


def doctor() -> int:
    """Check the installation and the models, and say what is missing and how to get it."""
    print(f"bladecheck {__version__}, Python {platform.python_version()}, {sys.platform}, {os.cpu_count()} cores")
    for package in ("onnxruntime", "numpy", "pillow"):
        print(f"ok       {package} {importlib.metadata.version(package)}")
    for codec in ("jpg", "webp", "avif", "zlib"):
        print(f"{'ok      ' if features.check(codec) else 'missing '} {codec} decoder")
    for package, purpose in OPTIONAL.items():
        try:
            print(f"ok       {package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"absent   {package}, only needed for {purpose}")
    healthy = [_check(name) for name in available()]
    if not healthy:
        print("missing  models: no bundle was found; reinstall bladecheck")
    return 0 if healthy and all(healthy) else 3


def _check(name: str) -> bool:
    started = time.perf_counter()
    try:
        outcome = replay(Classifier.open(name))
    except BladecheckError as error:
        print(f"broken   model {name}: {error.detail}")
        return False
    print(f"ok       model {name}: {outcome.cases} golden pictures agree, {time.perf_counter() - started:.1f} s")
    return True
