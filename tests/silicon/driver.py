"""The CUDA driver API on all GPUs of a machine that reach each other, through ctypes. Standard library only."""

from __future__ import annotations

import ctypes as c

HASH_BLOCKS, HASH_THREADS = 264, 512
SHARED_BYTES, MAX_DYNAMIC_SHARED = 48 << 10, 8
"""Dynamic shared memory that needs no asking for; the attribute that asks."""


class Driver:
    """Contexts of `count` GPUs with peer access (default: all), two streams each."""

    def __init__(self, count: int = 0) -> None:
        for name in ("libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1", "libcuda.so"):
            try:
                self.lib = c.CDLL(name)
                break
            except OSError:
                continue
        else:
            raise SystemExit("no libcuda here")
        self("cuInit", 0)
        found = c.c_int()
        self("cuDeviceGetCount", c.byref(found))
        self.gpus = count or found.value
        if found.value < self.gpus:
            raise SystemExit(f"{self.gpus} GPUs wanted, {found.value} found")
        self.contexts, self.streams, self.names = [], [], []
        for gpu in range(self.gpus):
            self._open(gpu)
        for gpu in range(self.gpus):
            self.use(gpu)
            for peer in range(self.gpus):
                if peer != gpu:
                    self("cuCtxEnablePeerAccess", self.contexts[peer], 0)
        version = c.c_int()
        self("cuDriverGetVersion", c.byref(version))
        self.version = version.value

    def _open(self, gpu: int) -> None:
        device, context, stream, name = c.c_int(), c.c_void_p(), c.c_void_p(), c.create_string_buffer(100)
        self("cuDeviceGet", c.byref(device), gpu)
        self("cuDevicePrimaryCtxRetain", c.byref(context), device)
        self("cuCtxSetCurrent", context)
        self("cuStreamCreate", c.byref(stream), 1)
        self("cuDeviceGetName", name, 100, device)
        self.contexts.append(context)
        self.streams.append(stream)
        self.names.append(name.value.decode())

    def __call__(self, function: str, *args: object) -> None:
        code = getattr(self.lib, function)(*args)
        if code:
            text = c.c_char_p()
            self.lib.cuGetErrorName(code, c.byref(text))
            raise RuntimeError(f"{function}: {(text.value or b'').decode() or code}")

    def use(self, gpu: int) -> None:
        self("cuCtxSetCurrent", self.contexts[gpu])

    def sync(self) -> None:
        for gpu in range(self.gpus):
            self.use(gpu)
            self("cuCtxSynchronize")

    def load(self, cubin: bytes) -> list[c.c_void_p]:
        """The module on every GPU."""
        modules = []
        for gpu in range(self.gpus):
            self.use(gpu)
            module = c.c_void_p()
            self("cuModuleLoadData", c.byref(module), c.c_char_p(cubin))
            modules.append(module)
        return modules

    def function(self, module: c.c_void_p, name: str) -> c.c_void_p:
        found = c.c_void_p()
        self("cuModuleGetFunction", c.byref(found), module, name.encode())
        return found

    def alloc(self, gpu: int, size: int) -> c.c_uint64:
        self.use(gpu)
        address = c.c_uint64()
        self("cuMemAlloc_v2", c.byref(address), c.c_size_t(size))
        return address

    def free(self, gpu: int, address: c.c_uint64) -> None:
        self.use(gpu)
        self("cuMemFree_v2", address)

    def clear(self, gpu: int, address: c.c_uint64, size: int) -> None:
        self.use(gpu)
        self("cuMemsetD8_v2", address, c.c_ubyte(0), c.c_size_t(size))

    def write(self, gpu: int, address: c.c_uint64, data: bytes) -> None:
        self.use(gpu)
        self("cuMemcpyHtoD_v2", address, c.c_char_p(data), c.c_size_t(len(data)))

    def read(self, gpu: int, address: c.c_uint64, size: int) -> bytes:
        self.use(gpu)
        result = c.create_string_buffer(size)
        self("cuMemcpyDtoH_v2", result, address, c.c_size_t(size))
        return result.raw

    def launch(
        self, gpu: int, function: c.c_void_p, grid: list[int], block: list[int], shared: int, values: list
    ) -> None:
        """`values`: ctypes numbers, the parameters."""
        self.use(gpu)
        if shared > SHARED_BYTES:
            self("cuFuncSetAttribute", function, MAX_DYNAMIC_SHARED, shared)
        args = (c.c_void_p * len(values))(*[c.cast(c.byref(v), c.c_void_p) for v in values])
        self("cuLaunchKernel", function, *grid, *block, shared, self.streams[gpu], args, None)
