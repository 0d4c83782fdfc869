#!/usr/bin/env python3
"""Objects of ISA files define local symbols and their entry points only.

A weak symbol compiled for AVX-512 can win at link time and be called on a CPU without it. Entry points are
strong symbols in namespace hone::kernels. Usage: isa_symbols_test.py BUILD_DIRECTORY
"""
import pathlib
import subprocess
import sys


def main():
    objects = sorted(pathlib.Path(sys.argv[1]).glob("CMakeFiles/hone_kernels.dir/**/*x86_*.cc.o"))
    if len(objects) < 4:
        print(f"only {len(objects)} ISA objects under {sys.argv[1]}: nothing was tested")
        return 1
    wrong = 0
    for path in objects:
        lines = subprocess.run(["nm", "-C", "--defined-only", str(path)], check=True,
                               capture_output=True, text=True).stdout.splitlines()
        for line in lines:
            kind, name = line.split(maxsplit=2)[1:]
            weak = kind in "WwVvu"
            foreign = kind in "TDBR" and not name.startswith("hone::kernels::")
            # The personality reference is data of the runtime, the same for every ISA.
            if (weak or foreign) and not name.startswith("DW.ref."):
                print(f"{path.name}: {kind} {name}")
                wrong += 1
    print(f"{len(objects)} ISA objects, {wrong} symbols that could leak")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
