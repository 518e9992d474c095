"""Control flow and miscellaneous (PTX ISA 9.0, 9.7.12 and 9.7.19)."""

from __future__ import annotations

from .instr import Instr, Kind

_PTX = "PTX ISA 9.0, 9.7."
_NONE = ("d",)
ROWS = (
    Instr("bra{.uni} target", {}, Kind.BRA, "branch", "continue at the label", _PTX + "12.3",
          forms={"target": "label"}),
    Instr("brx.idx{.uni} a, targets", {}, Kind.BRX, "branch", "continue at label number a of a .branchtargets list",
          _PTX + "12.4", operand_types={"a": "u32"}, forms={"targets": "targets"}),
    Instr("call{.uni} {(ret), }func{, (params)}{, proto}", {}, Kind.CALL, "branch",
          "call a function, or the address in a register with a prototype or a list of targets", _PTX + "12.5",
          operand_types={"func": "b64"}, forms={"ret": "args", "func": "func", "proto": "proto"}),
    Instr("ret{.uni}", {}, Kind.RET, "branch", "return to the caller; ends the thread in a kernel", _PTX + "12.6"),
    Instr("exit", {}, Kind.EXIT, "branch", "end the thread", _PTX + "12.7"),
    Instr("trap", {}, Kind.TRAP, "misc", "abort the launch with an error", _PTX + "19.5"),
    Instr("brkpt", {}, Kind.BRKPT, "misc", "suspend execution for a debugger", _PTX + "19.1"),
    Instr("nanosleep.u32 a", {}, Kind.NANOSLEEP, "misc", "wait for about a nanoseconds", _PTX + "19.2",
          operand_types={"a": "u32"}),
    Instr("pmevent a", {}, Kind.NOP, "misc", "signal a performance monitor event", _PTX + "19.3",
          operand_types={"a": "b32"}, forms={"a": "imm"}, allowed={"a": range(16)}),
    Instr("pmevent.mask a", {}, Kind.NOP, "misc", "signal performance monitor events", _PTX + "19.3",
          operand_types={"a": "b32"}, forms={"a": "imm"}, allowed={"a": range(1 << 16)}),
    Instr("setmaxnreg.action.sync.aligned.u32 n", {"action": ("inc", "dec")}, Kind.NOP, "misc",
          "change the registers of the warp; registers are allocated statically here", _PTX + "19.4",
          operand_types={"n": "u32"}, forms={"n": "imm"}),
    Instr("alloca.type d, a{, b}", {"type": ("u32", "u64")}, Kind.STACK, "alu",
          "d = address in local memory of a new bytes on the stack, aligned to b (8)", _PTX + "17.3", forms={"b": "imm"},
          allowed={"b": tuple(1 << i for i in range(32))}),
    Instr("stacksave.type d", {"type": ("u32", "u64")}, Kind.STACK, "alu", "d = the stack pointer", _PTX + "17.1"),
    Instr("stackrestore.type a", {"type": ("u32", "u64")}, Kind.STACK, "alu", "the stack pointer = a", _PTX + "17.2"),
    Instr("griddepcontrol.action", {"action": ("launch_dependents", "wait")}, Kind.NOP, "misc",
          "order dependent grids; grids of a stream run one after another here", _PTX + "12.8"),
)  # fmt: skip
