# docker build -t bladecheck . && docker run -p 127.0.0.1:8000:8000 bladecheck
# See docs/operations.md for keys, limits and a read-only root file system.

FROM python:3.11-slim-bookworm AS build
# Optional parts; "serve,heic,video" for videos, too (docs/videos.md says what else that brings).
ARG EXTRAS=serve,heic
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY models models
COPY service service
# Only wheels of the versions that the tests ran with; the model goes into the package, torch does not.
RUN python -m venv /opt/bladecheck \
    && /opt/bladecheck/bin/pip install --constraint constraints.txt ".[${EXTRAS}]" \
    && /opt/bladecheck/bin/python -m compileall -q /opt/bladecheck/lib \
    && /opt/bladecheck/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Bladecheck" \
    org.opencontainers.image.description="Tells whether a photo shows knife imagery" \
    org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 bladecheck \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin bladecheck
COPY --from=build /opt/bladecheck /opt/bladecheck
ENV PATH=/opt/bladecheck/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1
WORKDIR /
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["bladecheck"]
# Inside a container every address is "beyond loopback"; who can connect is decided by -p. So no key is asked for unless
# BLADECHECK_API_KEY_HASHES is set, and the log says so.
CMD ["serve", "--host", "0.0.0.0", "--insecure"]
