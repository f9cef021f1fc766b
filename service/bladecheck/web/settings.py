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
from bladecheck.core.video_limits import VideoLimits
from bladecheck.core.videos.reading import available
from bladecheck.machine import usable_cores
from bladecheck.web import prefixes

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
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names that the service is reached by, separated by commas, as in a browser's address bar but "
        "without port; `*`: any. Always allowed: `localhost`, numeric addresses and the name in `BLADECHECK_HOST`. "
        "Unset with API keys beyond loopback: any.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks (`10.0.0.0/8`) of your reverse proxies, separated by commas. Only from them "
        "`X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Prefix` are believed.",
    )
    root_path: str = Field(
        "",
        description="Path that a reverse proxy serves everything under, such as `/bladecheck`. Unset: as a trusted "
        "proxy says in `X-Forwarded-Prefix`, else none.",
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
    max_connections: int = Field(
        800,
        ge=1,
        description="Open connections of one process; beyond it the slowest is closed for each new one, and if none is "
        "slow, requests get 503 (probes do not).",
    )
    max_connections_per_client: int | None = Field(
        None,
        ge=0,
        description="Open connections of one address (IPv6: one /64 network), or requests of one that a trusted proxy "
        "names; beyond it likewise. 0: no limit. Unset: half of `BLADECHECK_MAX_CONNECTIONS`.",
    )
    picture_max_bytes: int = Field(32 * MEBIBYTE, ge=1, description="Bytes of one picture; more is too_large.")
    picture_max_pixels: int = Field(64_000_000, ge=1, description="Pixels of one picture, before decoding.")
    picture_frames: int = Field(4, ge=1, le=64, description="Frames that are looked at in an animation.")
    picture_max_frames: int = Field(10_000, ge=1, description="Frames that an animation may have.")
    picture_max_animation_pixels: int = Field(
        256_000_000, ge=1, description="Pixels decoded over all frames of an animation."
    )
    videos: bool = Field(True, description="Look at frames of videos, if `bladecheck[video]` is installed.")
    video_max_bytes: int = Field(128 * MEBIBYTE, ge=1, description="Bytes of one video; more is too_large.")
    video_max_seconds: float = Field(600, gt=0, description="How long a video may last.")
    video_frames: int = Field(
        24, ge=1, le=500, description="Frames that are looked at in a video; each takes as long as a picture."
    )
    video_seconds: float = Field(120, gt=0, description="Time for one video; then its result is too_slow.")
    record_key: str | None = Field(
        None,
        description="File with the key that signs records (`bladecheck record new-key` makes one). Unset: unsigned.",
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least severe log lines: debug to error."
    )

    @field_validator("allowed_hosts", "api_key_hashes", "trusted_proxies", mode="before")
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

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not re.fullmatch(r"\*|[A-Za-z0-9._-]+", text):
                raise ValueError(f"{text!r} is no host name; write it without scheme, port or path, or * for any")
        return tuple(text.lower().rstrip(".") for text in value)

    @field_validator("root_path")
    @classmethod
    def _prefix(cls, value: str) -> str:
        if (kept := prefixes.valid(value)) is None:
            own = ", ".join(sorted(prefixes.OWN))
            raise ValueError(f"{value!r} is no path such as /bladecheck, or begins with a path of our own ({own})")
        return kept

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"{text!r} is neither an IP address nor a network such as 10.0.0.0/8") from error
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
            video=self._video_limits,
        )

    @property
    def _video_limits(self) -> VideoLimits | None:
        if not self.videos:
            return None
        return VideoLimits(
            max_bytes=self.video_max_bytes,
            max_seconds=self.video_max_seconds,
            frames=self.video_frames,
            work_seconds=self.video_seconds,
        )

    @property
    def looks_at_videos(self) -> bool:
        """Videos are wanted, and what reads them is installed."""
        return self.videos and available()

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
    def connections_per_client(self) -> int:
        """Connections of one client; 0 is no limit."""
        given = self.max_connections_per_client
        return max(1, self.max_connections // 2) if given is None else given

    @property
    def host_names(self) -> frozenset[str]:
        """Names in Host that are answered, besides numeric addresses; `*` is any.

        With API keys beyond loopback all are: a browser gives a key only to the name that it was typed in for.
        """
        if self.api_key_hashes and not self.on_loopback and not self.allowed_hosts:
            return frozenset("*")
        return frozenset({"localhost", self.host.lower(), *self.allowed_hosts})

    @property
    def rate(self) -> int:
        """POST requests per client and minute; 0 is no limit."""
        if self.requests_per_minute is not None:
            return self.requests_per_minute
        return 0 if self.on_loopback else 600
