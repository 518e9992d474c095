"""Runs a bundle of random programs on a CUDA GPU and writes what they gave. Needs Python's standard library and libcuda only.

    python3 tests/differential/record.py BUNDLE.zip OUT_FOLDER [--processes 12]

Writes OUT_FOLDER/silicon0.npz, silicon1.npz, …: a uint8 array mNNNN per module, the outputs of its programs one after
another as the bundle says, and `facts` (text): the device, the driver, and what failed.
"""

from __future__ import annotations

import argparse
import ctypes as c
import io
import json
import os
import struct
import subprocess
import sys
import time
import zipfile

MOST_BYTES = 14_500_000  # of one file of results


class Driver:
    """The CUDA driver API on device 0."""

    def __init__(self) -> None:
        for name in ("libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1", "libcuda.so"):
            try:
                self.lib = c.CDLL(name)
                break
            except OSError:
                continue
        else:
            raise SystemExit("no libcuda here")
        self("cuInit", 0)
        device, context = c.c_int(), c.c_void_p()
        self("cuDeviceGet", c.byref(device), 0)
        self("cuDevicePrimaryCtxRetain", c.byref(context), device)
        self("cuCtxSetCurrent", context)
        name, version = c.create_string_buffer(100), c.c_int()
        self("cuDeviceGetName", name, 100, device)
        self("cuDriverGetVersion", c.byref(version))
        self.facts = f"{name.value.decode()}, driver API {version.value}"

    def __call__(self, function: str, *args: object) -> None:
        code = getattr(self.lib, function)(*args)
        if code:
            text = c.c_char_p()
            self.lib.cuGetErrorName(code, c.byref(text))
            raise RuntimeError(f"{function}: {(text.value or b'').decode() or code}")

    def load(self, ptx: bytes) -> c.c_void_p:
        module, log = c.c_void_p(), c.create_string_buffer(8192)
        options, values = (c.c_int * 2)(5, 6), (c.c_void_p * 2)(c.cast(log, c.c_void_p), c.c_void_p(8192))
        try:
            self("cuModuleLoadDataEx", c.byref(module), c.c_char_p(ptx), 2, options, values)
        except RuntimeError as problem:
            raise RuntimeError(f"{problem}: {log.value.decode(errors='replace')[:800]}") from None
        return module

    def alloc(self, size: int) -> c.c_uint64:
        address = c.c_uint64()
        self("cuMemAlloc_v2", c.byref(address), c.c_size_t(size))
        return address

    def run(self, module: c.c_void_p, program: dict, source: c.c_uint64, out: c.c_uint64) -> bytes:
        """One launch of one thread block; the bytes of its output."""
        function, size = c.c_void_p(), program["size"]
        self("cuModuleGetFunction", c.byref(function), module, program["name"].encode())
        self("cuMemsetD8_v2", out, c.c_ubyte(0), c.c_size_t(size))
        args = (c.c_void_p * 2)(c.cast(c.byref(source), c.c_void_p), c.cast(c.byref(out), c.c_void_p))
        self("cuLaunchKernel", function, 1, 1, 1, program["threads"], 1, 1, 0, None, args, None)
        self("cuCtxSynchronize")
        result = c.create_string_buffer(size)
        self("cuMemcpyDtoH_v2", result, out, c.c_size_t(size))
        return result.raw


def work(bundle: str, folder: str, names: list[str]) -> None:
    """Run modules; stops at the first error, which spoils the context. Leaves NAME.bin or NAME.err for each."""
    gpu = Driver()
    with open(os.path.join(folder, "device"), "w") as file:
        file.write(gpu.facts)
    out = gpu.alloc(1 << 20)
    with zipfile.ZipFile(bundle) as files:
        sources = {}
        for name in names:
            try:
                module, results = gpu.load(files.read(name + ".ptx") + b"\0"), []
                for program in json.loads(files.read(name + ".json")):
                    number = program["input"]
                    if number not in sources:
                        data = files.read(f"input{number}.bin")
                        sources[number] = gpu.alloc(len(data))
                        gpu("cuMemcpyHtoD_v2", sources[number], c.c_char_p(data), c.c_size_t(len(data)))
                    try:
                        results.append(gpu.run(module, program, sources[number], out))
                    except RuntimeError as problem:
                        raise RuntimeError(f"{program['name']}: {problem}") from None
                gpu("cuModuleUnload", module)
            except RuntimeError as problem:
                with open(os.path.join(folder, name + ".err"), "w") as file:
                    file.write(str(problem))
                os._exit(3)
            with open(os.path.join(folder, name + ".part"), "wb") as file:
                file.write(b"".join(results))
            os.rename(os.path.join(folder, name + ".part"), os.path.join(folder, name + ".bin"))


def text(path: str) -> str:
    """What a file says, "" without one."""
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def npy(data: bytes) -> bytes:
    """A one-dimensional uint8 array as a .npy file."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(data)},), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data


def collect(scratch: str, out: str, names: list[str]) -> None:
    """Put the results into as few files as MOST_BYTES allows, what failed into the last."""
    failed, number, buffer = [], 0, io.BytesIO()
    archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9)

    def finish() -> None:
        archive.close()
        with open(os.path.join(out, f"silicon{number}.npz"), "wb") as file:
            file.write(buffer.getvalue())

    for name in names:
        path = os.path.join(scratch, name)
        if not os.path.exists(path + ".bin"):
            failed.append(f"{name}: {text(path + '.err') or 'no result in time'}")
            continue
        with open(path + ".bin", "rb") as file:
            archive.writestr(name + ".npy", npy(file.read()))
        if buffer.tell() > MOST_BYTES:
            finish()
            number, buffer = number + 1, io.BytesIO()
            archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9)
    facts = "\n".join([text(os.path.join(scratch, "device")) or "no device", *failed])
    archive.writestr("facts.npy", npy(facts.encode()))
    finish()
    print(facts[:4000])
    print(f"{len(names) - len(failed)} of {len(names)} modules")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("out")
    parser.add_argument("--processes", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=400)
    parser.add_argument("--work", nargs="*", help="(a child process)")
    a = parser.parse_args()
    if a.work:
        return work(a.bundle, a.out, a.work)
    began, scratch = time.time(), os.path.join("/tmp", f"record{os.getpid()}")
    os.makedirs(scratch, exist_ok=True)
    os.makedirs(a.out, exist_ok=True)
    with zipfile.ZipFile(a.bundle) as files:
        names = sorted(n[:-4] for n in files.namelist() if n.endswith(".ptx"))
    shares = [names[i :: a.processes] for i in range(a.processes)]
    running: dict[int, subprocess.Popen] = {}
    while True:
        for i, share in enumerate(shares):
            if i in running and running[i].poll() is None:
                continue
            left = [n for n in share if not any(os.path.exists(os.path.join(scratch, n + e)) for e in (".bin", ".err"))]
            if i in running and left and running[i].returncode not in (0, 3):  # killed or broken: that module is lost
                with open(os.path.join(scratch, left[0] + ".err"), "w") as file:
                    file.write(f"the process ended with {running[i].returncode}")
                left = left[1:]
            running.pop(i, None)
            if left:
                command = [sys.executable, os.path.abspath(__file__), a.bundle, scratch, "--work", *left]
                running[i] = subprocess.Popen(command)
        if not running or time.time() - began > a.seconds:
            break
        time.sleep(0.05)
    for child in running.values():
        child.kill()
    collect(scratch, a.out, names)
    print(f"{time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
