#!/usr/bin/env python3
"""`fingerpost drill` as a user runs it: reports, exit codes, the page, and the drills of the docs. Prints TAP.

test_drill.py FINGERPOST TOP_DIRECTORY
"""
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback

FINGERPOST, TOP = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
HUB = str(TOP / "docs/examples/hub-spoke.yaml")
CASES = []


def case(function):
    CASES.append(function)
    return function


def run(fabric, drill, *arguments, code=0):
    done = subprocess.run([FINGERPOST, "drill", str(fabric), str(drill), *arguments], capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout if code < 2 else done.stderr


def drill(folder, text, fabric=HUB, code=0):
    path = pathlib.Path(folder, "drill.yaml")
    path.write_text("drill: test\n" + text)
    return json.loads(run(fabric, path, "--json", code=code))


def flow(report, name="p"):
    return next(row for row in report["flows"] if row["name"] == name)


PROBE = "probes: [{name: p, from: vm1, to: vm2, flows: 1000, packets_per_second: 10000}]\n"


@case
def every_drill_of_the_docs_holds(folder):
    drills = [(HUB, path) for path in sorted(TOP.glob("docs/examples/drills/*.yaml"))]
    drills += [(path.parent / "fabric.yaml", path) for path in sorted(TOP.glob("docs/examples/*/drill*.yaml"))]
    folders = {path.name for path in TOP.glob("docs/examples/*") if path.is_dir()} - {"live"}  # that one is no twin's
    assert {path.parent.name for _, path in drills} == folders, (drills, folders)
    for fabric, path in drills:
        text = pathlib.Path(fabric).read_text()
        if not re.search("^engine:", text, re.M):  # with every change checked
            verified = pathlib.Path(folder, "fabric.yaml")
            verified.write_text(f"include: [{fabric}]\nengine: {{verify: true}}\n")
            fabric = verified
        report = json.loads(run(fabric, path, "--json"))
        assert report["expectations"] and all(row["held"] for row in report["expectations"]), path
        assert report["flows"] and all(row["sent"] for row in report["flows"]), path


@case
def equal_inputs_give_equal_bytes_and_another_seed_other_flows(folder):
    path = TOP / "docs/examples/drills/failover.yaml"
    pages, texts, documents = set(), set(), set()
    for i in range(2):
        page = pathlib.Path(folder, f"{i}.html")
        texts.add(run(HUB, path, "--html", str(page)))
        documents.add(run(HUB, path, "--json"))
        pages.add(page.read_text())
    assert len(pages) == len(texts) == len(documents) == 1
    events = "events: [{at_ms: 1000, silence: nva1-os}]\nduration_ms: 2000\n"
    lost = {seed: flow(drill(folder, f"seed: {seed}\n" + PROBE + events))["lost"] for seed in range(1, 5)}
    assert len(set(lost.values())) > 1, lost


@case
def packets_are_accounted_for(folder):
    report = drill(folder, PROBE + "events: [{at_ms: 1000, silence: nva1-os}]\nduration_ms: 4000\n")
    row = flow(report)
    assert row["sent"] == 40000 and row["reason"] == "router-silent", row
    hit = row["flows_lost"]
    assert 430 < hit < 570 and row["lost"] == hit * 30, row  # ten packets a second and flow, for three seconds
    assert row["lost_ms"] == row["longest_ms"] == 3000 and row["moved"] == 0, row
    assert row["losses"] == [{"at_ms": 1000, "flows": hit}, {"at_ms": 4000, "flows": 0}], row["losses"]
    odd = "probes: [{name: p, from: vm1, to: hubvm, flows: 7, packets_per_second: 3, start_ms: 100, end_ms: 1101}]\n"
    assert flow(drill(folder, odd + "duration_ms: 5000\n"))["sent"] == 4  # at 0, 333.3, 666.7 and 1000 ms from its start


@case
def a_stopped_daemon_loses_nothing_and_moves_only_its_own_flows(folder):
    for how in ("stop", "kill"):
        report = drill(folder, PROBE + f"events: [{{at_ms: 1000, {how}: nva1-os}}, {{at_ms: 3000, restart: nva1-os}}]\n")
        row = flow(report)
        assert row["lost"] == 0 and row["moved_needlessly"] == 0, row
        assert row["moved"] % 2 == 0 and 860 < row["moved"] < 1140, row
        stopped, restarted = report["events"]
        assert stopped["converged_ms"] <= 10 and stopped["groups_changed"] == 1 and stopped["settled"], stopped
        assert stopped["routes_changed"] == restarted["routes_changed"] > 0, report["events"]
        assert sum(row["event"] == "session-down" for row in report["sessions"]) == 2
        assert sum(row["event"] == "peer-down" for row in report["alerts"]) == 2
        assert all(row["at_ms"] >= 1000 for row in report["alerts"])


@case
def an_instance_that_goes_and_comes_moves_nothing(folder):
    for how in ("stop", "kill", "silence", "restart"):
        report = drill(folder, PROBE + f"events: [{{at_ms: 1000, {how}: rs1/0}}, {{at_ms: 200000, restart: rs1/0}}]\n")
        row = flow(report)
        assert row["lost"] == row["moved"] == 0, (how, row)
        assert [event["routes_changed"] for event in report["events"]] == [0, 0], (how, report["events"])
        assert report["sessions"][-1]["event"] == "session-up", (how, report["sessions"][-1])


@case
def the_whole_route_server_gone_leaves_no_way_between_spokes(folder):
    report = drill(folder, PROBE + "events: [{at_ms: 1000, stop: rs1}, {at_ms: 3000, restart: rs1}]\n"
                   "expect: [{after_ms: 2000, nic: vm1, prefix: 10.0.0.0/8, next_hop_type: None},\n"
                   "  {after_ms: 2000, nic: vm1, prefix: 0.0.0.0/0, next_hop_type: Internet, next_hops: []},\n"
                   "  {nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.5, 10.0.1.4]}]\n")
    row = flow(report)
    assert row["flows_lost"] == 1000 and row["reason"] in ("null-route", "no-member"), row
    assert row["moved_needlessly"] == 0, row


@case
def cuts_withdrawals_and_flaps_take_their_course(folder):
    report = drill(folder, PROBE + """events:
  - {at_ms: 1000, cut: {router: nva1-os, route_server: rs1}}
  - {at_ms: 200000, heal: {router: nva1-os, route_server: rs1}}
  - {at_ms: 300000, withdraw: {router: nva1-os, prefixes: [10.0.0.0/8]}}
  - {at_ms: 301000, announce: {router: nva1-os, prefixes: [10.0.0.0/8, 10.0.0.0/9, 10.128.0.0/9]}}
  - {at_ms: 302000, flap: {router: nva1-os, times: 3, period_ms: 2000}}
expect:
  - {after_ms: 190000, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.5]}
  - {after_ms: 299000, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.4, 10.0.1.5]}
  - {after_ms: 300500, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.5]}
  - {after_ms: 301500, nic: vm1, prefix: 10.128.0.0/9, next_hops: [10.0.1.4]}
  - {after_ms: 306500, nic: vm1, prefix: 10.128.0.0/9, next_hops: []}
  - {nic: vm1, prefix: 10.128.0.0/9, next_hops: [10.0.1.4]}
""")
    row = flow(report)
    assert row["lost"] == 0 and row["moved_needlessly"] == 0 and row["moved"] > 2000, row
    assert 170000 < report["events"][0]["converged_ms"] < 180001, report["events"][0]
    assert report["events"][2]["converged_ms"] < 10, report["events"][2]
    assert all(event["settled"] for event in report["events"]), report["events"]


@case
def changes_of_the_fabric_keep_sessions_and_are_refused_whole(folder):
    report = drill(folder, PROBE + "events: [{at_ms: 1000, set: {'peerings/hub,spoke1/hub/allow_forwarded_traffic': false}},\n"
                   "  {at_ms: 2000, set: {'peerings/hub,spoke2/spoke2/allow_forwarded_traffic': false}},\n"
                   "  {at_ms: 3000, set: {'peerings/hub,spoke2/spoke2/allow_forwarded_traffic': true}}]\n")
    row = flow(report)
    assert report["sessions"] == [] and row["lost_ms"] == 1000 and row["flows_lost"] == 1000, (row, report["sessions"])
    assert row["reason"] == "forwarded-traffic-not-allowed" and row["moved"] == 0, row
    assert [event["converged_ms"] for event in report["events"]] == [0, 0, 0], report["events"]
    words = "ä" * 30
    report = drill(folder, "events: [{at_ms: 1, set: {vnets/hub/region: %s}}, {at_ms: 1, set: {vnets/hub/region: b}}]\n" % words)
    assert [event["what"] for event in report["events"]] == ["set vnets/hub/region: " + "ä" * 20 + "…",
                                                             "set vnets/hub/region: b"], report["events"]
    path = pathlib.Path(folder, "drill.yaml")
    path.write_text("drill: d\nevents:\n  - at_ms: 1\n    add:\n      nics:\n        - {name: x, subnet: hub/none, addresses: [10.0.2.9]}\n")
    assert f"{path}:6: nics[x].subnet: " in run(HUB, path, code=2)


@case
def routers_and_policies_change_while_the_fabric_runs(folder):
    verified = pathlib.Path(folder, "fabric.yaml")
    verified.write_text(f"include: [{HUB}]\nengine: {{verify: true}}\n")
    report = drill(folder, PROBE + """events:
  - {at_ms: 1000, set: {routers/nva1-os/neighbors/rs1/prepend: 2}}
  - {at_ms: 5000, set: {routers/nva1-os/neighbors/rs1/prepend: 0}}
  - {at_ms: 9000, add: {routers/nva1-os/originate: [172.16.0.0/13, 172.24.0.0/13]}}
  - {at_ms: 10000, remove: {routers/nva1-os/originate: [172.16.0.0/13]}}
  - {at_ms: 11000, add: {policies: [{name: none, rules: [{match: {prefixes: [10.0.0.0/8]}, then: reject}]}]}}
  - {at_ms: 11000, set: {routers/nva1-os/neighbors/rs1/export: none}}
  - {at_ms: 12000, set: {policies/none/rules: []}}
  - {at_ms: 13000, set: {policies/none/rules: [{then: reject}]}}
  - {at_ms: 13000, set: {routers/nva1-os/neighbors/rs1/export: ~, route_servers/rs1/peers/nva2/import: none}}
  - {at_ms: 15000, set: {route_servers/rs1/peers/nva2/import: ~}}
expect:
  - {after_ms: 4900, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.5]}
  - {after_ms: 8900, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.4, 10.0.1.5]}
  - {after_ms: 9900, nic: vm1, prefix: 172.16.0.0/13, next_hops: [10.0.1.4]}
  - {after_ms: 10900, nic: vm1, prefix: 172.16.0.0/13, next_hops: []}
  - {after_ms: 10900, nic: vm1, prefix: 172.24.0.0/13, next_hops: [10.0.1.4]}
  - {after_ms: 11900, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.5]}
  - {after_ms: 12900, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.4, 10.0.1.5]}
  - {after_ms: 14900, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.4]}
  - {nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.4, 10.0.1.5]}
""", fabric=verified)
    assert flow(report)["lost"] == 0, flow(report)
    # Only what a session is made of ends it: two sessions, twice.
    assert [row["at_ms"] // 1000 for row in report["sessions"] if row["event"] == "session-down"] == [1, 1, 5, 5]
    # NAT and inspection are the box's own, and hold from that moment on.
    report = drill(folder, PROBE + "events: [{at_ms: 1000, set: {routers/nva1-os/stateful: true, "
                   "routers/nva2-os/stateful: true}}]\nduration_ms: 3000\n", fabric=verified)
    row = flow(report)
    assert report["sessions"] == [] and row["sent"] == 30000 and row["lost"] == row["moved"] == 0, row
    report = drill(folder, "events: []\nexpect: [{nic: er1/0, prefix: 10.1.0.0/16, next_hop_type: VNetPeering}]\n",
                   fabric=TOP / "docs/examples/express-route-and-vpn/fabric.yaml")
    assert report["expectations"][0]["held"]


@case
def a_circuit_is_told_no_more_than_its_limit(folder):
    limits = (TOP / "docs/examples/limits/fabric.yaml").read_text().replace("mode: azure", "mode: native")
    for action in ("truncate", "send"):  # at most 5, with the two VNets and 172.16.0.0/16
        path = pathlib.Path(folder, "fabric.yaml")
        path.write_text(limits.replace("export: few}", f"export: few, max_advertised: {{limit: 5, action: {action}}}}}"))
        stays = action == "truncate"
        both = "next_hops: [10.0.3.4, 10.0.3.5]"
        report = drill(folder, "events:\n"
                       "  - {at_ms: 1000, announce: {router: nva1-os, prefixes: [11.0.0.0/24]}}\n"  # 4 of 5: near
                       "  - {at_ms: 2000, announce: {router: nva1-os, prefixes: [11.0.1.0/24]}}\n"
                       "  - {at_ms: 3000, announce: {router: nva1-os, prefixes: [11.0.2.0/24]}}\n"
                       "  - {at_ms: 4000, withdraw: {router: nva1-os, prefixes: [11.0.0.0/24]}}\n"
                       "expect:\n"
                       f"  - {{after_ms: 2900, nic: vm1, prefix: 192.168.0.0/16, {both}}}\n"
                       f"  - {{after_ms: 3500, nic: vm1, prefix: 192.168.0.0/16, {both if stays else 'next_hop_type: None'}}}\n"
                       f"  - {{nic: vm1, prefix: 192.168.0.0/16, {both}}}\n"
                       "  - {alert: limit-near, after_ms: 1000}\n"
                       f"  - {{alert: {'limit-near' if stays else 'peer-down'}, after_ms: 3000}}\n", fabric=path)
        assert all(row["held"] for row in report["expectations"]), (action, report["expectations"])
        alerts = [row for row in report["alerts"] if row["at_ms"] < 3000]
        assert len(alerts) == 2, alerts  # one an instance
        assert not stays or "kept back" in json.dumps(report["alerts"]), report["alerts"]


@case
def failed_expectations_say_what_there_was(folder):
    report = drill(folder, PROBE + """events: [{at_ms: 1000, silence: nva1-os}]
duration_ms: 3000
expect:
  - {after_ms: 2000, nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.5]}
  - {after_ms: 2000, nic: vm1, prefix: 10.0.0.0/24, next_hops: [10.0.1.5]}
  - {probe: p, lost_ms_max: 1999}
  - {alert: peer-down}
  - {probe: p, lost_ms_max: 2000, moved_max: 0}
""", code=1)
    assert [row["held"] for row in report["expectations"]] == [False, False, False, False, True]
    found = [row["found"] for row in report["expectations"]]
    assert found[0] == "VirtualNetworkGateway via 10.0.1.4, 10.0.1.5", found
    assert found[1] == "no route" and found[3] == "never raised" and found[4] is None, found
    assert "2000 ms" in found[2], found


@case
def events_of_one_moment_and_of_what_is_down_are_told(folder):
    report = drill(folder, PROBE + "events:\n  - {at_ms: 5, kill: nva1-os}\n  - {at_ms: 5, stop: nva1-os}\n"
                   "  - {at_ms: 5, kill: nva2-os}\nexpect: [{nic: vm1, prefix: 10.0.0.0/8, next_hops: []}]\n")
    assert [event["note"] for event in report["events"]] == [None, "it runs no BGP daemon", None]
    assert len({(event["converged_ms"], event["routes_changed"]) for event in report["events"]}) == 1


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text, self.attributes = [], "", []

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_startendtag(self, tag, attributes):
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


@case
def the_page_is_one_file_that_fetches_nothing_and_holds_text_as_text(folder):
    page = pathlib.Path(folder, "page.html")
    path = pathlib.Path(folder, "drill.yaml")
    path.write_text("drill: d\nprobes: [{name: p, from: vm1, to: vm2}]\n"
                    "events: [{at_ms: 1000, silence: nva1-os}, {at_ms: 2000, restart: nva1-os}]\n"
                    "expect: [{alert: peer-down}]\n")
    run(HUB, path, "--html", str(page), code=1)
    text = page.read_text()
    parsed = Page()
    parsed.feed(text)
    assert not parsed.open, parsed.open
    assert "1 of 1 expectations failed" in parsed.text and "silence nva1-os" in parsed.text
    assert "rs1 route server, AS 65515" in parsed.text and text.count("<svg") == 2
    assert not re.search(r"(src|href|url\(|@import|<script|<link|<iframe|https?:)", text)
    assert "page.html: " in run(HUB, path, "--html", folder + "/none/page.html", code=2)


@case
def bad_files_are_refused_with_their_line(folder):
    path = pathlib.Path(folder, "drill.yaml")
    path.write_text("drill: d\nevents:\n  - {at_ms: 1, stop: nva1-so}\nexpect: [{alert: peer-gone}]\n")
    assert f"{path}:3: the fabric has no router" in run(HUB, path, code=2)
    path.write_text("drill: d\nexpect:\n  - {alert: peer-gone}\n")
    assert f"{path}:3: there is no alert 'peer-gone'; there are peer-down" in run(HUB, path, code=2)
    assert "cannot be read" in run(HUB, folder + "/none.yaml", code=2)
    assert "is not a file" in run(HUB, folder, code=2)
    path.write_bytes(b"\x00\xff" * 1000)
    assert f"{path}:" in run(HUB, path, code=2)


@case
def a_minute_of_a_thousand_flows_takes_no_time(folder):
    """No figure is asserted; the time stands in the log, and a walk packet by packet would end at the limit."""
    text = PROBE.replace("10000", "100000000") + "events: [{at_ms: 1000, flap: {router: nva1-os, times: 20, period_ms: 2000}}]\n"
    began = time.monotonic()
    report = drill(folder, text + "duration_ms: 60000\n")
    print(f"# {flow(report)['sent']} packets in {time.monotonic() - began:.2f} s")
    assert flow(report)["sent"] == 6_000_000_000


def main():
    print(f"1..{len(CASES)}")
    failed = False
    for number, function in enumerate(CASES, 1):
        with tempfile.TemporaryDirectory(prefix="fingerpost-drill-") as folder:
            try:
                function(folder)
                print(f"ok {number} - {function.__name__}")
            except Exception:  # pylint: disable=broad-except
                failed = True
                print(f"not ok {number} - {function.__name__}")
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
