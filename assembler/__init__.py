"""Text to Image and back: `assemble`, `check`, `disassemble`, `emit_ptx`, `resource_lines`.

The names are imported here, not in the functions that need them: `check` and `disassemble` are also modules, and a later
import of one of those would take the function's place.
"""

from assembler.build import assemble, check, resource_lines
from assembler.diagnostics import AssemblyError, Diagnostic
from assembler.disassemble import disassemble
from assembler.program import Program

__all__ = ["AssemblyError", "Diagnostic", "Program", "assemble", "check", "disassemble", "resource_lines"]
