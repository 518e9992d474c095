"""Packs launch specs for record.py: modules as cubins (ptxas is needed), data of buffers as files.

PYTHONPATH=. python tests/silicon/bundle.py tests/silicon/two_gpus --out out/two_gpus.zip
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tempfile
import zipfile
from pathlib import Path

from assembler import emit_ptx
from sim.validation_data import make

HERE = Path(__file__).resolve().parent
ORDER = {"signal": 0, "transfer": 1, "moe": 2}
"""What is measured first, in case the time does not suffice."""
MADE_THERE = ("zeros", "hash_u32")
"""Initialisers that record.py knows."""


def cubin(ptx: str) -> bytes:
    """What ptxas makes of a module."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "module.ptx"), Path(folder, "module.cubin")
        source.write_text(ptx, encoding="utf-8")
        subprocess.run(["ptxas", "-arch=sm_90a", str(source), "-o", str(result)], check=True)
        return result.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    a.out.parent.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(a.out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("fill.cubin", cubin((HERE / "fill.ptx").read_text(encoding="utf-8")))
        paths = [path for folder in a.folders for path in folder.glob("*.json")]
        for path in sorted(paths, key=lambda path: ORDER.get(path.stem, len(ORDER))):
            spec = json.loads(path.read_text(encoding="utf-8"))
            if "ptx" not in spec:  # recorded times
                continue
            for buffer in (b for case in spec["cases"] for b in case["buffers"]):
                if buffer["init"]["kind"] not in MADE_THERE:
                    data = make(buffer).tobytes()
                    buffer["file"] = hashlib.sha256(data).hexdigest()[:16]
                    files[buffer["file"]] = data
            bundle.writestr(f"{path.stem}.cubin", cubin(emit_ptx(path.parent / spec["ptx"])))
            bundle.writestr(path.name, json.dumps(spec))
        for name, data in files.items():
            bundle.writestr(name, data)
    print(f"{a.out}: {a.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
