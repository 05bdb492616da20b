#!/usr/bin/env python3
"""bench converge, bench reconfig and bench fabric as a user types them: rows with the fields that programs rely on; every sample packet goes
where it must; what cannot be measured is refused. Prints TAP.

test_bench_converge.py FINGERPOST
"""
import json
import subprocess
import sys

FIELDS = {"event": str, "prefixes": int, "nics": int, "engine_us": float, "engine_us_min": float, "engine_us_max": float,
          "fib_us": float, "fib_us_min": float, "fib_us_max": float, "dead_path_ms": float, "dead_path_ms_max": float, "vnets": int, "fibs": int,
          "groups": int, "entries_changed": int, "rounds": int, "wrong": int}
SCALE_FIELDS = {"work": str, "vnets": int, "nics": int, "prefixes": int, "peers": int, "route_tables": int, "seconds": float,
                "seconds_min": float, "seconds_max": float, "rss_mb": float, "entries_changed": int, "rounds": int, "wrong": int}
RECONFIG_FIELDS = {"work": str, "prefixes": int, "nics": int, "vnets": int, "applies": int, "changes": int, "changes_per_s": float,
                   "seconds": float, "mpps": float, "sent": int, "lost": int, "late": int, "moved": int,
                   "worker_longest_stall_us": float, "worker_p999_stall_us": float, "worker_longest_gap_us": float,
                   "worker_stalls_50us_per_s": float, "wrong": int}
EVENTS = ["bfd-down", "session-down", "port-down", "member-down", "probe-down"]
count = 0
failed = 0


def check(good, name, about=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        print(f"# {about}")


def bench(*arguments, name="converge"):
    return subprocess.run([sys.argv[1], "bench", name, *arguments], capture_output=True, text=True, timeout=300,
                          check=False)


def rows_of(*arguments):
    done = bench("--json", *arguments)
    check(done.returncode == 0, f"{' '.join(arguments)}: ends well", done)
    return json.loads(done.stdout)


def measured(prefixes, nics, vnets, rounds, *more):
    rows = rows_of("--prefixes", str(prefixes), "--nics", str(nics), "--vnets", str(vnets), *more)
    check([row["event"] for row in rows] == EVENTS, "a row for each event", rows)
    for row in rows:
        check(all(isinstance(row.get(field), kind) for field, kind in FIELDS.items()), "every field has its type", row)
        check(row["wrong"] == 0, "before, after the groups and after the FIBs, packets go where they must, and the worker loses none", row)
        check((row["prefixes"], row["nics"], row["vnets"], row["rounds"]) == (prefixes, nics, vnets, rounds), "as asked", row)
        check(0 < row["engine_us_min"] <= row["engine_us"] <= row["engine_us_max"], "least, median and greatest", row)
        check(0 <= row["dead_path_ms"] <= row["dead_path_ms_max"], "the last frame on the dead path", row)
        check(row["engine_us"] < row["fib_us"], "groups are swapped before the FIBs are written", row)
        if row["event"] in ("bfd-down", "session-down"):
            check(row["entries_changed"] >= prefixes, "every prefix moves in the base that all share", row)
        else:
            check(row["entries_changed"] == 0, "the groups are all that moves", row)
        check(row["groups"] > vnets, "each VNet has groups of its own", row)
    return rows


def scaled():
    done = bench("--json", "--quick", "--vnets", "6", "--nics", "100", "--prefixes", "200", name="fabric")
    check(done.returncode == 0, "bench fabric ends well", done)
    rows = json.loads(done.stdout)
    check([row["work"] for row in rows] == ["start", "route-change", "peer-loss"], "a row for each work", rows)
    for row in rows:
        check(all(isinstance(row.get(field), kind) for field, kind in SCALE_FIELDS.items()), "every field has its type", row)
        check((row["vnets"], row["nics"], row["prefixes"], row["route_tables"]) == (6, 100, 200, 24), "as asked", row)
        check(row["wrong"] == 0 and 0 < row["seconds_min"] <= row["seconds"] <= row["seconds_max"], "sane", row)
    # The base of all, and the FIBs of NVAs that announce it or not.
    check(rows[1]["entries_changed"] >= 1 and rows[2]["entries_changed"] >= 200, "routes move", rows)
    check(rows[2]["groups_us"] < rows[2]["seconds"] * 1e6, "groups are swapped before the FIBs are written", rows)
    done = bench("--vnets", "6", "--nics", "10", name="fabric")
    check(done.returncode == 2 and "10 NICs cannot be spread over 24 subnets" in done.stderr, "too few NICs are refused", done)
    done = bench("--prefixes", "1048576", name="fabric")
    check(done.returncode == 2 and "1048575 at most" in done.stderr, "more prefixes than there are are refused", done)


def reconfigured():
    """All readings come and go, routes come, and updates move flows, around frames of which none is lost."""
    done = bench("--json", "--quick", "--prefixes", "500", "--nics", "40", name="reconfig")
    check(done.returncode == 0, "bench reconfig ends well", done)
    rows = {row["work"]: row for row in json.loads(done.stdout)}
    check(list(rows) == ["nothing", "apply", "load", "updates"], "a row for each work", rows)
    for row in rows.values():
        check(all(isinstance(row.get(field), kind) for field, kind in RECONFIG_FIELDS.items()), "every field has its type", row)
        check(row["sent"] > 0 and row["lost"] == row["late"] == row["wrong"] == 0, "nothing is lost", row)
        check(0 < row["worker_p999_stall_us"] <= row["worker_longest_stall_us"] <= row["worker_longest_gap_us"], "stalls", row)
    check(rows["nothing"]["changes"] == 0 and rows["apply"]["applies"] >= 4 and rows["apply"]["applies"] % 4 == 0, "whole turns",
          rows)
    check(rows["apply"]["changes"] == rows["apply"]["applies"] // 4 * 30, "objects come and go", rows["apply"])
    check(rows["load"]["changes"] == 3 * 500 and rows["load"]["moved"] == 0, "routes that no frame takes", rows["load"])
    check(rows["updates"]["changes"] >= 500 and rows["updates"]["moved"] > 0, "flows go to the other NVA, and back", rows["updates"])
    check(rows["updates"]["lpm_changes_per_s"] > 0, "a table alone", rows["updates"])
    done = bench("--work", "sleep", name="reconfig")
    check(done.returncode == 2 and "no work 'sleep'" in done.stderr, "no such work", done)
    done = bench("--nics", "1", name="reconfig")
    check(done.returncode == 2 and "2 are the least" in done.stderr, "one NIC is too few", done)


def refused(why, *arguments):
    done = bench(*arguments)
    check(done.returncode == 2 and why in done.stderr and not done.stdout, f"{' '.join(arguments)}: refused", done)


def main():
    few = measured(300, 1, 1, 9)
    many = measured(2000, 600, 20, 3, "--quick")
    check(many[0]["fibs"] > few[0]["fibs"], "more VNets have more FIBs", (many, few))
    table = bench("--prefixes", "10", "--nics", "1", "--quick")
    check(table.returncode == 0 and "bfd-down" in table.stdout and "Groups swapped us" in table.stdout, "a table for people",
          table)
    refused("--nics: '0' is not a number", "--nics", "0")
    refused("--vnets: 'x' is not a number", "--vnets", "x")
    refused("2 NICs cannot be spread over 3 VNets", "--nics", "2", "--vnets", "3", "--prefixes", "10")
    refused("5000 NICs cannot be spread over 1 VNets", "--nics", "5000", "--vnets", "1", "--prefixes", "10")
    scaled()
    reconfigured()
    print(f"1..{count}")
    sys.exit(1 if failed else 0)


main()
