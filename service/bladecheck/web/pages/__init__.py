"""The page for press teams: the same results as the API, in words. Works without scripts; keeps nothing."""

from __future__ import annotations

from fastapi import APIRouter

from bladecheck.web.pages.approve import router as approving
from bladecheck.web.pages.check import router as checking
from bladecheck.web.pages.edit import router as editing
from bladecheck.web.pages.information import router as information
from bladecheck.web.pages.record_form import router as recording
from bladecheck.web.pages.site import mount_static

__all__ = ["mount_static", "router"]

router = APIRouter(include_in_schema=False)
router.include_router(checking)
router.include_router(editing)
router.include_router(recording)
router.include_router(approving)
router.include_router(information)
