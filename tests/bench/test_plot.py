#!/usr/bin/env python3
"""The plotting script draws well-formed pictures from rows, and says when it has none. Prints TAP.

test_plot.py PLOT
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

SVG = "{http://www.w3.org/2000/svg}"


def share(fibs, keys, locality, mlps):
    return {"work": "private-routes", "family": 4, "fibs": fibs, "keys": keys, "locality": locality,
            "engine": "fingerpost", "mlps_median": mlps, "bytes_base": 20000000, "bytes_per_fib": 2000.0}


def lookup(engine, routes, mlps):
    return {"work": "lookup", "family": 4, "routes": routes, "keys": "P", "fibs": 1, "locality": 1,
            "engine": engine, "mlps_median": mlps, "bytes": 71000000}


def draw(plot, rows):
    """Returns what plot said and the pictures it made, by name."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory, "rows.json")
        file.write_text(json.dumps(rows))
        done = subprocess.run([plot, directory, str(file)], capture_output=True, text=True, check=True)
        return done.stderr, {path.name: xml.parse(path).getroot() for path in pathlib.Path(directory).glob("*.svg")}


def curves(picture):
    return len(picture.findall(f"{SVG}polyline"))


def cases(plot):
    rows = [share(n, keys, burst, 200.5) for n in (1, 100, 10000) for keys in ("half-private", "P", "Z")
            for burst in (1, 32)]
    rows += [lookup(engine, n, 300.0) for engine in ("fingerpost", "rte_fib-scalar") for n in (1000, 1000000)]
    said, pictures = draw(plot, rows)
    yield "all pictures are drawn", len(pictures) == 3 and said == ""
    yield "a curve for each kind of key and burst", curves(pictures["lookup-fibs.svg"]) == 6
    yield "a curve for each engine", curves(pictures["lookup-size.svg"]) == 2
    yield "memory of ours and of the peer", curves(pictures["memory-fibs.svg"]) == 2
    said, pictures = draw(plot, rows[:18])
    yield "what has no rows is named and left out", len(pictures) == 2 and "lookup-size.svg" in said


def main(plot):
    results = list(cases(plot))
    print(f"1..{len(results)}")
    for number, (name, held) in enumerate(results, 1):
        print(f"{'ok' if held else 'not ok'} {number} - {name}")
    return 0 if all(held for _, held in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
