#!/usr/bin/env python3
"""Fails on an #include that src/CMakeLists.txt does not allow a room to make. Tests and fuzz targets may include any room."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent / "src"
lines = (root / "CMakeLists.txt").read_text().splitlines()
rooms = {}
for line in lines:
    match = re.match(r"room\((\w+)(?: MAY ([\w ]+?))?(?: LINK .*?)?(?: TEST .*)?\)$", line)
    if match:
        rooms[match[1]] = set((match[2] or "").split()) | {match[1]}

faults = []
for path in sorted(root.glob("*/*")):
    if path.suffix not in {".h", ".cc"}:
        continue
    room = path.parent.name
    if room not in rooms:
        faults.append(f"{path}: the room {room} is not declared in src/CMakeLists.txt")
        continue
    if path.stem.startswith("test_") or path.stem.endswith(("_test", "_fuzz", "_contract")):
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'#include "(\w+)/', line)
        if match and match[1] not in rooms[room]:
            faults.append(f"{path}:{number}: {room} may not include {match[1]}")

print("\n".join(faults) or f"{len(rooms)} rooms, every include allowed")
sys.exit(bool(faults))
