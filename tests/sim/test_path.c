/* The way of a packet through the twin: the hops and the rows that decided, there and back. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "engine/sim/path.h"
#include "tests/sim/fixture.h"

struct way {
    struct fixture fixture;
    struct path_finder *finder;
    struct path_sessions sessions, back_sessions;
    struct path path, back;
};

static void open_way(struct way *way, const struct fixture_text *text)
{
    fixture_open(&way->fixture, text);
    way->finder =
        path_finder_create(way->fixture.fabric, way->fixture.sim, way->fixture.forwarding);
    cr_assert_not_null(way->finder);
}

static void close_way(struct way *way)
{
    path_finder_free(way->finder);
    fixture_close(&way->fixture);
}

static struct path_flow flow_of(const char *source, const char *destination, uint16_t port)
{
    struct path_flow flow = {
        .protocol = IPPROTO_TCP, .source_port = port, .destination_port = 443, .ttl = 64};
    cr_assert_eq(lpm_address_parse(source, &flow.source), 0);
    cr_assert_eq(lpm_address_parse(destination, &flow.destination), 0);
    return flow;
}

static void go(struct way *way, const char *nic, const char *source, const char *destination,
               uint16_t port)
{
    const struct path_flow flow = flow_of(source, destination, port);
    cr_assert_eq(path_walk(way->finder, fabric_find_nic(way->fixture.fabric, nic), &flow, NULL,
                           &way->sessions, &way->path),
                 0);
}

static void go_back(struct way *way, const char *source, const char *destination, uint16_t port)
{
    struct path_flow flow = flow_of(destination, source, 443);
    flow.destination = way->sessions.source;
    flow.destination_port = port;
    cr_assert_eq(path_walk(way->finder, way->path.end, &flow, &way->sessions, &way->back_sessions,
                           &way->back),
                 0);
}

/* "vm1 10.0.0.0/8 > nva1 10.2.0.0/16 > vm2 61": NICs and the rows that they went by, then where it
 * ended and the TTL there, or how else. */
static const char *told(const struct way *way, const struct path *path)
{
    static char text[1024];
    const struct fabric *fabric = way->fixture.fabric;
    int n = 0;
    for (unsigned i = 0; i < path->hop_count; i++) {
        char prefix[LPM_PREFIX_TEXT] = "-";
        if (path->hops[i].row)
            lpm_prefix_format(&path->hops[i].row->prefix, prefix);
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s %s > ",
                      fabric->nics[path->hops[i].nic].name, prefix);
    }
    if (path->verdict == PATH_DELIVERED)
        snprintf(text + n, sizeof(text) - (size_t)n, "%s %u",
                 path->end == PATH_INTERNET ? "internet" : fabric->nics[path->end].name, path->ttl);
    else
        snprintf(text + n, sizeof(text) - (size_t)n, "%s",
                 path->reason ? path->reason : path_verdict_text(path->verdict));
    return text;
}

static void assert_told(const struct way *way, const struct path *path, const char *want)
{
    cr_assert_str_eq(told(way, path), want, "%s, not %s", told(way, path), want);
}

static const char *const through[2] = {"vm1 10.0.0.0/8 > nva1 10.2.0.0/16 > vm2 61",
                                       "vm1 10.0.0.0/8 > nva2 10.2.0.0/16 > vm2 61"};

Test(path, native_flows_come_back_through_the_router_that_they_went_by)
{
    struct way way;
    unsigned first = 0;
    open_way(&way, NULL);
    for (uint16_t port = 1000; port < 2000; port++) {
        go(&way, "vm1", "10.1.0.4", "10.2.0.4", port);
        bool by_nva1 = strcmp(told(&way, &way.path), through[0]) == 0;
        assert_told(&way, &way.path, through[!by_nva1]);
        go_back(&way, "10.1.0.4", "10.2.0.4", port);
        cr_assert(path_mirrors(&way.sessions, &way.back_sessions));
        first += by_nva1;
    }
    cr_assert(first > 400 && first < 600, "%u of 1000 by nva1", first);
    close_way(&way);
}

Test(path, azure_flows_come_back_as_they_may_and_the_fabric_leaves_the_ttl_alone)
{
    struct way way;
    unsigned mirrored = 0;
    open_way(&way, &(struct fixture_text){.top = "mode: azure\n"});
    for (uint16_t port = 1000; port < 2000; port++) {
        go(&way, "vm1", "10.1.0.4", "10.2.0.4", port);
        cr_assert_eq(way.path.ttl, 63);
        go_back(&way, "10.1.0.4", "10.2.0.4", port);
        cr_assert_eq(way.back.verdict, PATH_DELIVERED);
        mirrored += path_mirrors(&way.sessions, &way.back_sessions);
    }
    cr_assert(mirrored > 400 && mirrored < 600, "%u of 1000 mirrored", mirrored);
    close_way(&way);
}

Test(path, a_stateful_router_drops_what_comes_back_without_a_session)
{
    struct way way;
    open_way(&way, &(struct fixture_text){.top = "mode: azure\n", .routers = ", stateful: true"});
    for (uint16_t port = 1000; port < 1100; port++) {
        go(&way, "vm1", "10.1.0.4", "10.2.0.4", port);
        go_back(&way, "10.1.0.4", "10.2.0.4", port);
        if (path_mirrors(&way.sessions, &way.back_sessions))
            cr_assert_eq(way.back.verdict, PATH_DELIVERED);
        else
            cr_assert_str_eq(way.back.reason, "no-session");
    }
    close_way(&way);
}

Test(path, source_translation_brings_every_flow_back_through_its_router)
{
    struct way way;
    open_way(&way, &(struct fixture_text){.top = "mode: azure\n",
                                          .routers = ", stateful: true, source_nat: true"});
    for (uint16_t port = 1000; port < 1100; port++) {
        go(&way, "vm1", "10.1.0.4", "10.2.0.4", port);
        cr_assert_eq(way.path.verdict, PATH_DELIVERED);
        go_back(&way, "10.1.0.4", "10.2.0.4", port);
        cr_assert_eq(way.back.verdict, PATH_DELIVERED, "%s", told(&way, &way.back));
        cr_assert(path_mirrors(&way.sessions, &way.back_sessions));
        cr_assert_eq(way.back.end, fabric_find_nic(way.fixture.fabric, "vm1"));
    }
    close_way(&way);
}

/* The router's own default route comes back into its own NIC's FIB. */
Test(path, azure_sends_a_router_its_own_default_route_until_the_ttl_is_used_up)
{
    struct way way;
    open_way(&way, &(struct fixture_text){.top = "mode: azure\n"});
    go(&way, "nva1", "10.0.1.4", "8.8.8.8", 1000);
    cr_assert_eq(way.path.verdict, PATH_LOOP, "%s", told(&way, &way.path));
    cr_assert_eq(way.path.ttl, 0);
    close_way(&way);
    open_way(&way, NULL);
    go(&way, "nva1", "10.0.1.4", "8.8.8.8", 1000);
    assert_told(&way, &way.path, "nva1 0.0.0.0/0 > internet 63");
    close_way(&way);
}

Test(path, drops_say_where_and_why)
{
    struct way way;
    open_way(&way, NULL);
    go(&way, "vm1", "10.1.0.4", "10.1.0.77", 1000);
    assert_told(&way, &way.path, "vm1 10.1.0.0/16 > next-hop-unreachable");
    go(&way, "vm1", "10.9.9.9", "10.2.0.4", 1000);
    assert_told(&way, &way.path, "vm1 - > source-check");
    go(&way, "vm1", "10.1.0.4", "168.63.129.16", 1000);
    assert_told(&way, &way.path, "vm1 - > platform-address");
    go(&way, "vm1", "fd00:11::4", "fd00:10:0:1::4", 1000);
    assert_told(&way, &way.path, "vm1 fd00:10::/48 > nva1 63");
    close_way(&way);
}

Test(path, a_ttl_that_is_used_up_ends_the_way_at_the_router)
{
    struct way way;
    open_way(&way, NULL);
    struct path_flow flow = flow_of("10.1.0.4", "10.2.0.4", 1000);
    flow.ttl = 2;
    cr_assert_eq(path_walk(way.finder, fabric_find_nic(way.fixture.fabric, "vm1"), &flow, NULL,
                           NULL, &way.path),
                 0);
    cr_assert_str_eq(way.path.reason, "ttl-expired");
    cr_assert_eq(way.path.hop_count, 1);
    close_way(&way);
}
