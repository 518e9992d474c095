"""Parameters of a launch: host values as the bytes of a kernel's parameter block."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from isa.image import Kernel
from isa.types import TYPES

from .fills import DTYPES
from .host_expr import Buffer, Expressions, TensorMaps

_FLOATS = {"f16": "<e", "f32": "<f", "f64": "<d"}


def pack_parameters(kernel: Kernel, arguments: list[Any], expressions: Expressions) -> bytes:
    """The parameter block; HostError when the arguments do not fit the kernel."""
    if len(arguments) != len(kernel.params):
        names = ", ".join(p.name for p in kernel.params)
        raise expressions.error(
            f"`{kernel.name}` has {len(kernel.params)} parameters, {len(arguments)} arguments are given",
            f"its parameters are {names}" if names else "",
        )
    block = bytearray(kernel.param_bytes)
    for parameter, argument in zip(kernel.params, arguments, strict=True):
        what = f"parameter `{parameter.name}` of `{kernel.name}`"
        data = _encode(parameter.type, argument, what, expressions)
        if len(data) != parameter.size:
            raise expressions.error(f"{what} has {parameter.size} bytes and cannot be given by value")
        block[parameter.offset : parameter.offset + len(data)] = data
    return bytes(block)


def _encode(type_: str, argument: Any, what: str, expressions: Expressions) -> bytes:
    """One argument as bytes of the parameter's type."""
    value = expressions.value(argument)
    if isinstance(value, TensorMaps):
        return expressions.tensor_map(value)
    if isinstance(value, str):
        raise expressions.error(f"{what}: a string is no argument of a kernel")
    if not isinstance(value, int | float):
        if TYPES[type_].bits != 64:
            name = value.name if isinstance(value, Buffer) else "an address"
            raise expressions.error(f"{what} has {TYPES[type_].bits} bits; `{name}` is a 64-bit address")
        value = expressions.pointer(argument, what)
    if type_ in _FLOATS:
        return struct.pack(_FLOATS[type_], value)
    if type_ == "bf16":
        return bytes(np.array([value], DTYPES["bf16"]).tobytes())
    bits = TYPES[type_].bits
    if value != int(value):
        raise expressions.error(f"{what} is an integer, not {value}")
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise expressions.error(f"{what} has {bits} bits; {int(value)} does not fit")
    return (int(value) & (1 << bits) - 1).to_bytes(bits // 8, "little")
