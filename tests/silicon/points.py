"""Writes the points of a file of measurements (simasm calibrate --points) as launch specs, for bundle.py and record.py.

PYTHONPATH=. python tests/silicon/points.py nvlink_p2p.json --out out/points [--only peer_store_by_sms,...]
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from sim.calibrate import read_figures
from sim.points import KERNELS, points
from sim.points_link import LINK
from sim.points_memory import MEMORY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--every", type=int, default=1, help="one of so many points")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    specs: dict[str, dict[str, Any]] = {}
    for point in points(read_figures(a.file), LINK | MEMORY, a.only)[:: a.every]:
        module = point.case["module"]
        ptx = os.path.relpath(KERNELS / f"{module}.s", a.out)
        spec = specs.setdefault(module, {"ptx": ptx, "gpus": 1, "cases": []})
        spec["gpus"] = max(spec["gpus"], point.case["gpus"])
        named = {"kernel": point.name, "name": point.label, "measured": point.measured}
        spec["cases"].append(named | {k: point.case[k] for k in ("figure", "buffers", "launches")})
    for module, spec in specs.items():
        (a.out / f"{module}.json").write_text(json.dumps(spec), encoding="utf-8")
    print(f"{a.out}: {sum(len(s['cases']) for s in specs.values())} points, {len(specs)} modules")


if __name__ == "__main__":
    main()
