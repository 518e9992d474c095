"""Traces: what the machine did, instruction by instruction. Written by the simulator, read by everybody else.

Submodules import numpy, duckdb, rich and perfetto only when they need them, so ``traces.records`` costs nothing.
"""
