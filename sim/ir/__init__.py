"""Compiled code of the simulator: lane operations from the instruction table, and the library the core calls."""

from .compile import compile_ops
from .library import library

__all__ = ["compile_ops", "library"]
