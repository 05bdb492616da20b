/* A load balancer in front of the NVAs, in the twin: its probes notice what BGP does not. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/program/events.h"
#include "tests/sim/fixture.h"

static const char top[] =
    "load_balancers:\n"
    "  - {name: ilb, subnet: hub/nva, frontend: 10.0.1.100, backends: [nva1, nva2], probe: "
    "{interval_s: 5, failures: 2}}\n"
    "  - {name: web, subnet: hub/nva, frontend: 10.0.1.101, backends: [nva1, nva2], probe: "
    "{protocol: Tcp, port: 443, interval_s: 1}}\n"
    "policies:\n"
    "  - name: by-ilb\n"
    "    rules:\n"
    "      - {match: {prefixes: [10.0.0.0/8]}, set: {next_hop: 10.0.1.100}}\n";

static void open_balanced(struct fixture *fixture)
{
    fixture_open(fixture, &(struct fixture_text){
                              .top = top, .nva1 = ", export: by-ilb", .nva2 = ", export: by-ilb"});
}

static bool is_up(struct fixture *fixture, uint32_t balancer, uint32_t backend)
{
    return program_backend_is_up(controller_program(sim_controller(fixture->sim)), balancer,
                                 backend);
}

/* Where 64 flows from vm1 to vm2 go: how many to NIC `name`, by way of its FIB. */
static unsigned flows_to(struct fixture *fixture, const char *name)
{
    const struct program *program = controller_program(sim_controller(fixture->sim));
    uint32_t sender = program_nic_id(program, fabric_find_nic(fixture->fabric, "vm1"));
    uint32_t nic = program_nic_id(program, fabric_find_nic(fixture->fabric, name));
    unsigned n = 0;
    for (uint16_t port = 0; port < 64; port++) {
        struct dp_packet packet = {.family = LPM_IPV4,
                                   .protocol = 17,
                                   .ttl = 64,
                                   .has_ports = true,
                                   .source_port = port,
                                   .destination_port = 443,
                                   .source = {10, 1, 0, 4},
                                   .destination = {10, 2, 0, 4},
                                   .header_length = 20,
                                   .total_length = 60};
        struct dp_verdict verdict;
        dp_decide(fixture->forwarding, &sender, &packet, &verdict, 1, NULL);
        n += verdict.action == DP_FORWARD && verdict.nic == nic;
    }
    return n;
}

static void assert_session(struct fixture *fixture, const char *name, bool up)
{
    struct controller *controller = sim_controller(fixture->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        struct controller_peer *peer = controller_peer(controller, i);
        if (strcmp(speaker_peer_config(peer->peer)->name, name) == 0)
            cr_assert_eq(peer->established, up);
    }
}

/* At any moment between two probes. */
Test(sim_balancer, a_silent_nva_loses_its_flows_in_ten_seconds_while_bgp_is_up)
{
    for (uint64_t later_ms = 0; later_ms < 5000; later_ms += 777) {
        struct fixture fixture;
        char text[256];
        open_balanced(&fixture);
        cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "10.0.0.0/8", text), "10.0.1.100");
        cr_assert_eq(sim_run(fixture.sim, 20000 + later_ms), 0);
        unsigned before = flows_to(&fixture, "nva1");
        cr_assert(before > 16 && before + flows_to(&fixture, "nva2") == 64);

        sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_SILENCE);
        cr_assert_eq(sim_run(fixture.sim, 5000), 0);
        cr_assert_eq(flows_to(&fixture, "nva1"), before, "not on the first lost probe");
        cr_assert_eq(sim_run(fixture.sim, 5000), 0);
        cr_assert_eq(flows_to(&fixture, "nva2"), 64);
        cr_assert_not(is_up(&fixture, 0, 0));
        assert_session(&fixture, "nva1", true);
        cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "10.0.0.0/8", text), "10.0.1.100");

        sim_router_restart(fixture.sim, fixture_router(&fixture, "nva1-os"));
        cr_assert_eq(sim_run(fixture.sim, 6000), 0);
        cr_assert_eq(flows_to(&fixture, "nva1"), before);
        fixture_close(&fixture);
    }
}

/* The daemon is gone, the machine is not: an echo is answered, a connection is not. */
Test(sim_balancer, a_killed_daemon_fails_tcp_probes_and_answers_echoes)
{
    struct fixture fixture;
    open_balanced(&fixture);
    sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_KILL);
    cr_assert_eq(sim_run(fixture.sim, 15000), 0);
    cr_assert(is_up(&fixture, 0, 0));
    cr_assert_not(is_up(&fixture, 1, 0));
    cr_assert(is_up(&fixture, 1, 1));
    sim_router_restart(fixture.sim, fixture_router(&fixture, "nva1-os"));
    cr_assert_eq(sim_run(fixture.sim, 3000), 0);
    cr_assert(is_up(&fixture, 1, 0));
    fixture_close(&fixture);
}

static void on_event(void *context, const struct event *event)
{
    unsigned *seen = context;
    if (event->kind == EVENT_BACKEND_DOWN || event->kind == EVENT_BACKEND_UP) {
        cr_assert_eq(event->route_server, FABRIC_NONE);
        seen[event->kind == EVENT_BACKEND_UP]++;
    }
}

Test(sim_balancer, backends_that_come_and_go_are_events)
{
    struct fixture fixture;
    unsigned seen[2] = {0};
    open_balanced(&fixture);
    cr_assert_eq(sim_watch(fixture.sim, on_event, seen), 0);
    sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_SILENCE);
    cr_assert_eq(sim_run(fixture.sim, 15000), 0);
    cr_assert(seen[0] == 2 && seen[1] == 0, "one of each load balancer: %u", seen[0]);
    sim_router_restart(fixture.sim, fixture_router(&fixture, "nva1-os"));
    cr_assert_eq(sim_run(fixture.sim, 15000), 0);
    cr_assert(seen[0] == 2 && seen[1] == 2);
    fixture_close(&fixture);
}
