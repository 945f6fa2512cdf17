"""Settings of the page in a browser; a part of :mod:`sottovoce.app.settings`."""

from __future__ import annotations

from pydantic import Field

from sottovoce.app.setting_types import FilePath, Section


class WebSettings(Section):
    """The page in a browser, `sottovoce live --web`. See docs/web.md."""

    host: str = Field(
        default="127.0.0.1",
        pattern=r"^[0-9A-Za-z.:-]{1,253}$",
        description="Where the page is served: this machine alone, unless it is an address that others reach, which "
        "takes TLS (cert_file and key_file).",
        json_schema_extra={"allowed": "an address of this machine, or its name"},
    )
    port: int = Field(default=8484, ge=0, le=65535, description="Port of the page; 0 takes any that is free.")
    cert_file: FilePath = Field(default=None, description="Certificate for TLS (PEM), with its chain.")
    key_file: FilePath = Field(default=None, description="Key of that certificate (PEM, without a password).")
