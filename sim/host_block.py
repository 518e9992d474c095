"""Which host program of a source runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .command_line import UsageError

if TYPE_CHECKING:
    from isa.image import Image


def host_block(image: Image, name: str | None) -> dict[str, Any]:
    """The host program of an image, the one called ``name``; `UsageError` says what to write if there is none."""
    if image.host is None:
        kernels = ", ".join(f"`{kernel.name}`" for kernel in image.kernels) or "none"
        raise UsageError(
            f"{image.files[0]}: there is no .host block, so nothing says which kernel to launch, on what data\n"
            f"  kernels in this file: {kernels}\n"
            "  add one, for example\n"
            "    .host main {\n"
            "        buffer x : u32[1024] = iota;\n"
            "        launch my_kernel on all grid(8) block(128) (x, 1024);\n"
            "        sync;\n"
            "    }\n"
            "  programs/README.md has the statements; `simasm check FILE` only looks for errors"
        )
    found = image.host.get("name")
    if name and found != name:
        raise UsageError(f"{image.files[0]}: no .host block called `{name}`; there is `{found}`")
    return image.host
