"""The simulated address space: 1024 regions of 2**38 bytes; the region says who owns an address."""

REGION_BITS = 38
REGION_BYTES = 1 << REGION_BITS
OFFSET_MASK = REGION_BYTES - 1
SHARED_REGION = 96
"""Generic window onto the shared memory of the own CTA."""
SHARED_START = 1024
"""First address of a CTA's own shared memory. What lies below is the system's, as on an H100, where it may be touched too."""
LOCAL_REGION = 97
"""Generic window onto the local memory of the own thread."""
PARAM_REGION = 98
"""Generic window onto the parameters of the own kernel."""
OWN_REGION = 127
"""The executing GPU's own memory: module variables, which every GPU has."""
MULTIMEM_REGION = 128
"""First multicast object."""
DYMULTIMEM_REGION = 512
"""First dynamic multicast object; bit 37 of the offset is the stage."""
REGIONS = 1024
MAX_GPUS = 64
FUNCTION_BYTES = 16
"""Bytes between the addresses of instructions that begin functions; no function is at address 0."""


def gpu_address(gpu: int, offset: int = 0) -> int:
    """Address of byte ``offset`` of a GPU's memory. Region 0 is never valid, so that null faults."""
    return (gpu + 1 << REGION_BITS) + offset


def function_address(entry: int) -> int:
    """Address of the function that begins at instruction ``entry``, as a program sees it; 0 for one without a body."""
    return FUNCTION_BYTES * (entry + 1)
