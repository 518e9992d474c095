"""Communication among the lanes of a warp (PTX ISA 9.0, 9.7.9.6 and 9.7.13)."""

from __future__ import annotations

from .instr import Instr, Kind

_PTX = "PTX ISA 9.0, 9.7."
_WORDS = {name: "b32" for name in ("d", "a", "b", "c", "membermask")}
ROWS = (
    Instr("shfl.sync.mode.b32 d{|p}, a, b, c, membermask", {"mode": ("up", "down", "bfly", "idx")}, Kind.SHFL, "shfl",
          "d = a of another lane: own lane - b, + b, xor b, or lane b; c: clamp and segment mask; p = that is in range",
          _PTX + "9.6", operand_types=_WORDS),
    Instr("vote.sync.op.type p, {!}a, membermask", {"op": ("all", "any", "uni"), "type": ("pred",)}, Kind.VOTE, "vote",
          "p = a holds in all lanes of the mask, in any, or the same in all", _PTX + "13.9",
          operand_types={"a": "pred", "membermask": "b32"}),
    Instr("vote.sync.op.type d, {!}a, membermask", {"op": ("ballot",), "type": ("b32",)}, Kind.VOTE, "vote",
          "d = mask of the lanes where a holds", _PTX + "13.9", operand_types={"a": "pred", "membermask": "b32"}),
    Instr("match.op.sync.type d, a, membermask", {"op": ("any",), "type": ("b32", "b64")}, Kind.MATCH, "match",
          "d = mask of the lanes with the same a", _PTX + "13.10", operand_types={"d": "b32", "membermask": "b32"}),
    Instr("match.op.sync.type d{|p}, a, membermask", {"op": ("all",), "type": ("b32", "b64")}, Kind.MATCH, "match",
          "d = the member mask when a is the same in all its lanes, else 0; p says which", _PTX + "13.10",
          operand_types={"d": "b32", "membermask": "b32"}),
    Instr("activemask.b32 d", {}, Kind.ACTIVEMASK, "alu", "d = mask of the lanes executing this", _PTX + "13.11",
          operand_types={"d": "b32"}),
    Instr("redux.sync.op.type d, a, membermask", {"op": ("add", "min", "max"), "type": ("u32", "s32")}, Kind.REDUX,
          "redux",
          "d = a of all lanes of the mask, reduced", _PTX + "13.12", operand_types={"membermask": "b32"}),
    Instr("redux.sync.op.type d, a, membermask", {"op": ("and", "or", "xor"), "type": ("b32",)}, Kind.REDUX, "redux",
          "d = a of all lanes of the mask, reduced", _PTX + "13.12", operand_types={"membermask": "b32"}),
    Instr("elect.sync d|p, membermask", {}, Kind.ELECT, "vote", "d = one lane of the mask; p holds in that lane",
          _PTX + "13.14", operand_types={"d": "b32", "membermask": "b32"}),
)  # fmt: skip
