"""CUDA's device runtime: functions that a program declares and the driver provides (CUDA programming guide, chapter 10).

The assembler turns a call of such a function into one of these instructions, which the machine hands to its host side.
"""

from __future__ import annotations

from typing import NamedTuple

from .instr import Instr, Kind

_GUIDE = "CUDA C++ Programming Guide 13.0, 10."


class Service(NamedTuple):
    """A function of the runtime: its instruction, and bytes of the result and of each parameter."""

    opcode: str
    results: tuple[int, ...]
    params: tuple[int, ...]


SERVICES = {
    "vprintf": Service("runtime.vprintf", (4,), (8, 8)),
    "malloc": Service("runtime.malloc", (8,), (8,)),
    "free": Service("runtime.free", (), (8,)),
    "__assertfail": Service("runtime.assertfail", (), (8, 8, 4, 8, 8)),
    "__assert_fail": Service("runtime.assert_fail", (), (8, 8, 4, 8)),
}
"""What a program may call without a body: nvcc's names, and clang's for a failed assertion."""
_ADDRESSES = {"message": "b64", "file": "b64", "line": "b32", "function": "b64"}
ROWS = (
    Instr("runtime.vprintf d, format, arguments", {}, Kind.SERVICE, "misc",
          "print; d = the number of arguments printed, or -1 without a format. The arguments lie at their natural alignment",
          _GUIDE + "35", target="runtime", operand_types={"d": "b32", "format": "b64", "arguments": "b64"}),
    Instr("runtime.malloc d, size", {}, Kind.SERVICE, "misc", "d = the address of size bytes of the heap, or 0",
          _GUIDE + "34", target="runtime", operand_types={"d": "b64", "size": "b64"}),
    Instr("runtime.free address", {}, Kind.SERVICE, "misc", "give memory back to the heap", _GUIDE + "34",
          target="runtime", operand_types={"address": "b64"}),
    Instr("runtime.assertfail message, file, line, function, size", {}, Kind.SERVICE, "misc",
          "an assertion failed: say which and end the launch with an error", _GUIDE + "32", target="runtime",
          operand_types={**_ADDRESSES, "size": "b64"}),
    Instr("runtime.assert_fail message, file, line, function", {}, Kind.SERVICE, "misc",
          "an assertion failed: say which and end the launch with an error", _GUIDE + "32", target="runtime",
          operand_types=_ADDRESSES),
)  # fmt: skip
