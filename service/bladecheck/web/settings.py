"""Every knob of the service, with its default; docs/settings.md is generated from this class.

Nothing is read at import: `Settings()` reads the environment (prefix BLADECHECK_) when it is made.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bladecheck.core.images import PictureLimits
from bladecheck.machine import usable_cores

MEBIBYTE = 2**20


class Settings(BaseSettings):
    """Settings of `bladecheck serve`; a command line option goes before the environment."""

    model_config = SettingsConfigDict(env_prefix="BLADECHECK_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on. Beyond loopback an API key is required.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    bundle: str | None = Field(None, description="Model: a bundle's name (`base`, `small`) or folder. Unset: `base`.")
    policy: str | None = Field(None, description="Policy: a shipped name or the path of a TOML file. Unset: default.")
    api_key_hashes: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="SHA-256 (hex) of each accepted API key, separated by commas; `bladecheck serve --new-key` makes "
        "one. With at least one, every request needs a key, on loopback too.",
    )
    insecure: bool = Field(False, description="Allow listening beyond loopback without any API key.")
    requests_per_minute: int | None = Field(
        None,
        ge=0,
        description="POST requests per API key (or per address, without keys) and minute; 0: no limit. "
        "Unset: 600 beyond loopback, no limit on loopback.",
    )
    processes: int = Field(1, ge=1, le=256, description="Server processes. One with a thread per core is best.")
    threads: int | None = Field(
        None, ge=1, le=256, description="Pictures worked on at once per process. Unset: the cores over the processes."
    )
    queue_pictures: int = Field(
        256, ge=1, description="Pictures that may wait for a thread; beyond it requests get 503 and Retry-After."
    )
    max_files: int = Field(64, ge=1, le=1000, description="Pictures per request; more get 413.")
    max_body_bytes: int = Field(256 * MEBIBYTE, ge=1, description="Bytes of one request's body; more get 413.")
    max_inflight_bytes: int = Field(
        512 * MEBIBYTE, ge=1, description="Bytes of all bodies held at once; beyond it requests get 503."
    )
    body_seconds: float = Field(20, gt=0, description="Time that a client has to send a body, plus the next setting.")
    body_bytes_per_second: int = Field(
        16 * 1024, ge=1, description="Slowest allowed upload: each so many bytes received give one more second."
    )
    header_seconds: float = Field(10, gt=0, description="Time that a client has to send the request's headers.")
    picture_seconds: float = Field(30, gt=0, description="Time for one picture; then its result is too_slow.")
    keep_alive_seconds: int = Field(15, ge=1, description="Time that an idle connection is kept open.")
    drain_seconds: float = Field(
        1, ge=0, description="After SIGTERM: time in which requests are still taken, while readiness says no."
    )
    shutdown_seconds: int = Field(60, ge=1, description="After that: time that running requests have to finish.")
    max_connections: int = Field(800, ge=1, description="Open connections; beyond it requests get 503.")
    picture_max_bytes: int = Field(32 * MEBIBYTE, ge=1, description="Bytes of one picture; more is too_large.")
    picture_max_pixels: int = Field(64_000_000, ge=1, description="Pixels of one picture, before decoding.")
    picture_frames: int = Field(4, ge=1, le=64, description="Frames that are looked at in an animation.")
    picture_max_frames: int = Field(10_000, ge=1, description="Frames that an animation may have.")
    picture_max_animation_pixels: int = Field(
        256_000_000, ge=1, description="Pixels decoded over all frames of an animation."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least severe log lines: debug to error."
    )

    @field_validator("api_key_hashes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("api_key_hashes")
    @classmethod
    def _hex(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not re.fullmatch(r"[0-9a-f]{64}", text):
                raise ValueError("each is 64 hexadecimal digits: the SHA-256 of a key, not the key")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.queue_pictures < self.max_files:
            raise ValueError(f"queue_pictures ({self.queue_pictures}) is below max_files ({self.max_files})")
        if self.max_inflight_bytes < self.max_body_bytes:
            raise ValueError(f"max_inflight_bytes is below max_body_bytes ({self.max_body_bytes})")
        return self

    @property
    def limits(self) -> PictureLimits:
        """What the decoder refuses."""
        return PictureLimits(
            max_bytes=self.picture_max_bytes,
            max_pixels=self.picture_max_pixels,
            frames=self.picture_frames,
            max_frames=self.picture_max_frames,
            max_animation_pixels=self.picture_max_animation_pixels,
        )

    @property
    def pool_threads(self) -> int:
        """Threads of one process."""
        return self.threads or max(1, usable_cores() // self.processes)

    @property
    def on_loopback(self) -> bool:
        """Only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def rate(self) -> int:
        """POST requests per client and minute; 0 is no limit."""
        if self.requests_per_minute is not None:
            return self.requests_per_minute
        return 0 if self.on_loopback else 600
