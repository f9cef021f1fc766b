"""The page for press teams: the same results as the API, in words. Works without scripts; keeps nothing."""

from __future__ import annotations

from fastapi import APIRouter

from bladecheck.pages.checking import router as checking
from bladecheck.pages.information import router as information
from bladecheck.pages.recording import router as recording
from bladecheck.pages.site import mount_static

__all__ = ["mount_static", "router"]

router = APIRouter(include_in_schema=False)
router.include_router(checking)
router.include_router(recording)
router.include_router(information)
