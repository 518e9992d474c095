"""Which records to keep or to show: ``gpu=0,sm=0-3,8,cycles=1000:5000,op=ld.*``.

The same words select what a run records (``--trace``) and what a listing shows. Ranges ``a-b`` include both ends; a
range of cycles ``a:b`` does not include ``b``, and either may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .errors import TraceError, suggestion
from .records import STALL_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOREVER = 1 << 56
"""Later than any cycle of a run."""
MAX_GPUS, MAX_SMS, MAX_WARPS = 64, 1024, 64

Ranges = tuple[tuple[int, int], ...]

_FIELDS = {"gpu": (0, 0), "sm": (2, 0), "warp": (2, 16), "cta": (4, 32), "launch": (3, 32), "pc": (3, 0)}
"""Numbers a filter can name, and the word and bit of a record where each begins. The GPU is known by the ring."""
_BITS = {"sm": 16, "warp": 8, "cta": 32, "launch": 32, "pc": 32}
KEYS = (*_FIELDS, "line", "cycles", "op", "stall")


@dataclass(frozen=True)
class Capture:
    """A parsed filter. An absent key lets everything pass.

    ``sm_low``, ``sm_high``, ``cycle_from``, ``cycle_until``, ``gpu_mask`` and ``warp_mask`` are for compiled code,
    which may let more records pass than `keep` does.
    """

    ranges: dict[str, Ranges] = field(default_factory=dict)
    cycle_from: int = 0
    """First cycle of issue."""
    cycle_until: int = FOREVER
    """Cycle of issue, exclusive."""
    ops: tuple[str, ...] = ()
    """Shell patterns of opcodes."""
    stalls: tuple[str, ...] = ()

    @property
    def gpu_mask(self) -> int:
        """Bit g: records of GPU g are wanted."""
        return _mask(self.ranges.get("gpu"), MAX_GPUS)

    @property
    def warp_mask(self) -> int:
        """Bit w: records of warp slot w of an SM are wanted."""
        return _mask(self.ranges.get("warp"), MAX_WARPS)

    @property
    def sm_low(self) -> int:
        """Lowest SM wanted."""
        return min((low for low, _ in self.ranges.get("sm", ())), default=0)

    @property
    def sm_high(self) -> int:
        """Highest SM wanted."""
        return max((high for _, high in self.ranges.get("sm", ())), default=MAX_SMS - 1)

    @property
    def is_whole(self) -> bool:
        """True if every instruction of every warp passes."""
        return self == Capture()

    def needs_ops(self) -> bool:
        """True if `keep` has to know the opcode of each pc."""
        return bool(self.ops)

    def keep(self, records: NDArray[Any], ops: Sequence[str] = ()) -> NDArray[Any]:
        """The rows of int64[n, 8] ``records`` of one GPU that pass. ``ops``: opcode by pc."""
        import numpy as np

        wanted = np.ones(len(records), bool)
        if self.cycle_from > 0 or self.cycle_until < FOREVER:
            wanted &= (records[:, 0] >= self.cycle_from) & (records[:, 0] < self.cycle_until)
        for key, ranges in self.ranges.items():
            if key in _BITS:
                word, shift = _FIELDS[key]
                wanted &= _inside(records[:, word] >> shift & (1 << _BITS[key]) - 1, ranges)
        if self.ops:
            chosen = np.array([_matches(op, self.ops) for op in ops] + [False])
            wanted &= chosen[np.minimum(records[:, 3] & 0xFFFFFFFF, len(ops))]
        if self.stalls:
            numbers = [STALL_NAMES.index(name) for name in self.stalls]
            wanted &= np.isin(records[:, 2] >> 24 & 0xFF, numbers) & (records[:, 5] & 0xFFFFFFFF > 0)
        return records if wanted.all() else records[wanted]

    def where(self) -> str:
        """The filter as an SQL condition on the view ``instructions``."""
        terms = [f"issue >= {self.cycle_from}"] if self.cycle_from > 0 else []
        if self.cycle_until < FOREVER:
            terms.append(f"issue < {self.cycle_until}")
        for key, ranges in self.ranges.items():
            terms.append(" or ".join(f"{key} between {low} and {high}" for low, high in ranges))
        if self.ops:
            terms.append(" or ".join(f"op glob '{_glob(op)}'" for op in self.ops))
        if self.stalls:
            names = ", ".join(f"'{name}'" for name in self.stalls)
            terms.append(f"stall in ({names}) and stall_cycles > 0")
        return " and ".join(f"({term})" for term in terms) or "true"


def parse_capture(text: str) -> Capture:
    """Read a filter; a piece without ``=`` continues the key before it. Raises `TraceError` for what is wrong."""
    values: dict[str, list[str]] = {}
    key = ""
    for piece in (p.strip() for p in text.split(",")):
        if not piece:
            continue
        name, equals, value = piece.partition("=")
        if equals:
            key = name.strip()
            if key not in KEYS:
                known = ", ".join(KEYS)
                raise TraceError(f"trace filter: unknown key `{key}`{suggestion(key, KEYS)}; there are {known}")
            value = value.strip()
        elif not key:
            raise TraceError(f"trace filter: `{piece}` is not of the form key=value, such as gpu=0")
        else:
            value = piece
        values.setdefault(key, []).append(value)
    ranges = {k: tuple(_range(k, v) for v in vs) for k, vs in values.items() if k in _FIELDS or k == "line"}
    first, until = _cycles(values.get("cycles", []))
    return Capture(ranges, first, until, tuple(values.get("op", ())), tuple(map(_stall, values.get("stall", ()))))


def _number(key: str, text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise TraceError(f"trace filter: `{text}` in `{key}` is not a number") from None


def _range(key: str, text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    first = _number(key, low)
    last = _number(key, high) if dash else first
    if last < first:
        raise TraceError(f"trace filter: the range `{text}` in `{key}` ends before it begins")
    return first, last


def _cycles(texts: list[str]) -> tuple[int, int]:
    if not texts:
        return 0, FOREVER
    low, colon, high = texts[0].partition(":")
    if len(texts) > 1 or not colon:
        raise TraceError("trace filter: `cycles` is one range, such as cycles=1000:5000 or cycles=1000:")
    first = _number("cycles", low) if low else 0
    until = _number("cycles", high) if high else FOREVER
    if until <= first:
        raise TraceError(f"trace filter: the range `{texts[0]}` in `cycles` is empty")
    return first, until


def _stall(name: str) -> str:
    if name not in STALL_NAMES:
        raise TraceError(f"trace filter: unknown stall reason `{name}`{suggestion(name, STALL_NAMES)}")
    return name


def _mask(ranges: Ranges | None, limit: int) -> int:
    if ranges is None:
        return (1 << limit) - 1
    mask = 0
    for low, high in ranges:
        for bit in range(low, min(high, limit - 1) + 1):
            mask |= 1 << bit
    return mask


def _inside(values: NDArray[Any], ranges: Ranges) -> NDArray[Any]:
    wanted = (values >= ranges[0][0]) & (values <= ranges[0][1])
    for low, high in ranges[1:]:
        wanted |= (values >= low) & (values <= high)
    return wanted


def _matches(op: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(op, pattern) for pattern in patterns)


def _glob(pattern: str) -> str:
    return pattern.replace("'", "''")
