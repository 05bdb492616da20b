#!/usr/bin/env python3
"""bench bgp against BIRD with small tables: every work converges, rows have the fields that programs rely on, nothing is left
behind. Exit 77: cannot run here, and why.

test_bench_bgp.py FINGERPOST
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

FIELDS = {"work": str, "prefixes": int, "engine": str, "rounds": int, "seconds_median": float, "cpu_s": float,
          "rss_mb": float, "wrong": int}
WORKS = ["1to1", "packed", "to-30", "8-equal", "best-dies", "peer-death", "real-table"]


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def bench(*arguments, code=0):
    """What it printed on standard output and standard error; it must leave nothing behind."""
    with subprocess.Popen([sys.argv[1], "bench", "bgp", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as running:
        out, err = running.communicate(timeout=500)
    assert running.returncode == code, (arguments, running.returncode, out[-2000:], err[-2000:])
    left = list(pathlib.Path("/tmp").glob(f"fingerpost-bench-{running.pid}-*"))
    assert not left, left
    return out, err


def main():
    if os.geteuid() != 0:
        skip("needs root for network namespaces")
    if not shutil.which("bird"):
        skip("bird is not installed")
    if subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0:
        skip("network namespaces cannot be made here")
    rows = json.loads(bench("--prefixes", "600", "--peers", "bird", "--quick", "--json")[0])
    assert [row["work"] for row in rows] == [work for work in WORKS for _ in range(2)], rows
    assert [row["engine"] for row in rows] == ["fingerpost", "bird"] * len(WORKS), rows
    for row in rows:
        for field, kind in FIELDS.items():
            assert isinstance(row[field], kind), (field, row)
        assert row["wrong"] == 0 and row["prefixes"] == 600 and row["seconds_median"] > 0, row
        assert row["ratio_to_best_peer"] > 0, row
    # The engine that programs FIBs as well is no peer to be compared with.
    rows = json.loads(bench("--prefixes", "600", "--peers", "fingerpost-1000-fibs", "--work", "1to1", "--quick", "--json")[0])
    assert [row["engine"] for row in rows] == ["fingerpost", "fingerpost-1000-fibs"], rows
    assert all(row["wrong"] == 0 and row["ratio_to_best_peer"] is None for row in rows), rows
    assert rows[1]["rss_idle_mb"] > rows[0]["rss_idle_mb"], rows
    assert "no peer 'brid': bird, frr" in bench("--peers", "brid", code=2)[1]
    assert "no work 'none'" in bench("--work", "none", code=2)[1]


main()
