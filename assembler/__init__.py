"""Text to Image and back: `assemble`, `check`, `disassemble`, `emit_ptx`, `resource_lines`.

The names are imported here, not where they are needed: `check` and `disassemble` are also modules, and a later import
of one of those would take the function's place.
"""

from assembler.build import assemble, check, resource_lines
from assembler.diagnostics import AssemblyError, Diagnostic
from assembler.disassemble import disassemble
from assembler.emit import emit_ptx

__all__ = ["AssemblyError", "Diagnostic", "assemble", "check", "disassemble", "emit_ptx", "resource_lines"]
