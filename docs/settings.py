"""Write docs/settings.md from the settings class: python docs/settings.py > docs/settings.md (a test compares them)."""

from __future__ import annotations

from bladecheck.web.settings import Settings

HEAD = """# Settings of the service

Made by `python docs/settings.py` from the settings class. Each is an environment variable; a command line option of
`bladecheck serve` goes before it. A name that starts with `BLADECHECK_` and is not listed here is pointed out at the
start and has no effect. A value out of range stops the start.

| variable | default | what |
|---|---|---|
"""


def shown(value: object) -> str:
    """A default as it would be written in the environment."""
    if value in (None, (), ""):
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def reference() -> str:
    """The whole page."""
    rows = [
        f"| `BLADECHECK_{name.upper()}` | {shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
