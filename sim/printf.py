"""printf of device code: a format and a buffer of arguments to bytes (CUDA C++ Programming Guide, 10.35).

Conversions, flags, width, precision and the sizes h, hh, l and ll are C's. What CUDA's printf does not know (``%zu``, ``%n``,
positions, a precision of ``*``) is printed as it stands and takes no argument, as observed on an H100.
"""

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

_SPEC = re.compile(rb"%([-+ #0']*)(\d+|\*)?(?:\.(\d*))?(hh|h|ll|l)?([diuoxXcspfFeEgGaA%])")
_SIGNED, _UNSIGNED, _FLOATS = b"di", b"uoxX", b"fFeEgGaA"

Read = Callable[[int, int], bytes]
"""Bytes of memory: ``(address, count)``."""
ReadString = Callable[[int], bytes]
"""The string at an address."""


@dataclass
class Arguments:
    """The argument buffer of a call: values at their natural alignment, small integers as 4 bytes, floats as 8."""

    address: int
    read: Read
    offset: int = 0
    taken: int = 0

    def take(self, size: int) -> bytes:
        """The next argument."""
        at = self.offset + -self.offset % size
        self.offset, self.taken = at + size, self.taken + 1
        return self.read(self.address + at, size)

    def integer(self, size: int, signed: bool) -> int:
        """The next argument as an integer."""
        return int.from_bytes(self.take(size), "little", signed=signed)


@dataclass
class _Field:
    """How a value is to be laid out."""

    flags: bytes
    width: int
    precision: int | None

    def signed(self, digits: bytes, negative: bool, zeros: bool = True) -> bytes:
        """A number with its sign. ``zeros``: the flag 0 may fill the width."""
        sign = b"-" if negative else b"+" if b"+" in self.flags else b" " if b" " in self.flags else b""
        return self.filled(sign, digits, zeros)

    def filled(self, prefix: bytes, body: bytes, zeros: bool) -> bytes:
        """Prefix and body in the field's width."""
        if zeros and b"0" in self.flags and b"-" not in self.flags:
            body = body.rjust(self.width - len(prefix), b"0")
        text = prefix + body
        return text.ljust(self.width) if b"-" in self.flags else text.rjust(self.width)


def formatted(form: bytes, arguments: Arguments, string: ReadString) -> bytes:
    """The text of one call."""
    out, at = [], 0
    for found in _SPEC.finditer(form):
        out += [form[at : found.start()], _converted(found, arguments, string)]
        at = found.end()
    return b"".join([*out, form[at:]])


def _converted(found: "re.Match[bytes]", arguments: Arguments, string: ReadString) -> bytes:
    """One conversion."""
    flags, width, precision, size, kind = found.groups()
    if kind == b"%":
        return b"%" if found[0] == b"%%" else found[0]
    field = _Field(flags, 0, None if precision is None else int(precision or b"0"))
    if width == b"*":
        field.width = arguments.integer(4, True)
        if field.width < 0:
            field.flags, field.width = flags + b"-", -field.width
    else:
        field.width = int(width or b"0")
    if kind in _FLOATS:
        return _float(field, struct.unpack("<d", arguments.take(8))[0], kind.decode())
    if kind == b"c":
        return field.filled(b"", bytes([arguments.integer(4, False) & 255]), False)
    if kind == b"s":
        address = arguments.integer(8, False)
        return field.filled(b"", (string(address) if address else b"(null)")[: field.precision], False)
    if kind == b"p":
        address = arguments.integer(8, False)
        return field.filled(b"", b"0x%x" % address if address else b"(nil)", False)
    return _integer(field, arguments, size or b"", kind)


def _integer(field: _Field, arguments: Arguments, size: bytes, kind: bytes) -> bytes:
    """d i u o x X, of the size that h, hh, l and ll say."""
    bits = {b"hh": 8, b"h": 16, b"": 32}.get(size, 64)
    value = arguments.integer(max(bits // 8, 4), False) & (1 << bits) - 1
    if kind in _SIGNED and value >> bits - 1:
        value -= 1 << bits
    digits = b"%o" % value if kind == b"o" else b"%x" % value if kind in b"xX" else b"%d" % abs(value)
    if field.precision is not None:
        digits = digits.rjust(field.precision, b"0") if value or field.precision else b""
    if kind in _SIGNED:
        return field.signed(digits, value < 0, field.precision is None)
    prefix = b""
    if b"#" in field.flags and kind == b"o" and not digits.startswith(b"0"):
        digits = b"0" + digits
    if b"#" in field.flags and kind in b"xX" and value:
        prefix = b"0x"
    text = field.filled(prefix, digits, field.precision is None)
    return text.upper() if kind == b"X" else text


def _float(field: _Field, value: float, kind: str) -> bytes:
    """f e g a and their capitals."""
    negative = math.copysign(1.0, value) < 0
    if not math.isfinite(value):
        text = field.signed(b"nan" if math.isnan(value) else b"inf", negative, zeros=False)
        return text.upper() if kind.isupper() else text
    if kind in "aA":
        text = _hexadecimal(field, abs(value), negative)
        return text.upper() if kind == "A" else text
    alternate = "#" if b"#" in field.flags else ""
    precision = 6 if field.precision is None else field.precision
    digits = f"%{alternate}.{precision}{kind}" % abs(value)
    return field.signed(digits.encode(), negative)


def _hexadecimal(field: _Field, value: float, negative: bool) -> bytes:
    """%a: a leading digit of 1 (0 for zero and subnormal numbers), the bits after it, the power of two."""
    bits = struct.unpack("<Q", struct.pack("<d", value))[0]
    exponent, fraction = bits >> 52, bits & (1 << 52) - 1
    whole = 1 if exponent else 0
    power = exponent - 1023 if exponent else (-1022 if fraction else 0)
    digits = f"{fraction:013x}".rstrip("0")
    if field.precision is not None:
        mantissa = whole << 52 | fraction
        if field.precision < 13:
            drop = 4 * (13 - field.precision)
            half, rest = 1 << drop - 1, mantissa & (1 << drop) - 1
            mantissa = (mantissa >> drop) + (rest > half or (rest == half and mantissa >> drop & 1))
            whole, digits = mantissa >> 4 * field.precision, f"{mantissa & (1 << 4 * field.precision) - 1:x}"
            digits = digits.rjust(field.precision, "0") if field.precision else ""
        else:
            digits = digits.ljust(field.precision, "0")
    point = "." if digits or b"#" in field.flags else ""
    sign = b"-" if negative else b"+" if b"+" in field.flags else b" " if b" " in field.flags else b""
    return field.filled(sign + b"0x", f"{whole:x}{point}{digits}p{power:+d}".encode(), True)
