/* One address in two regions, reached from on-premises over ExpressRoute: rows and ways, exactly. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/sim/rows.h"
#include "tests/sim/ways.h"

#define EXAMPLE "anycast-express-route"
#define PORTS   200

/* Flows of the client to 9.9.9.9 that end at this NIC, of PORTS; every one is delivered somewhere. */
static unsigned flows_to(struct fixture *fixture, const char *nic)
{
    unsigned n = 0;
    for (uint16_t port = 1000; port < 1000 + PORTS; port++) {
        struct path path;
        ways_walk(fixture, "client", "9.9.9.9", port, 64, NULL, &path);
        cr_assert_eq(path.verdict, PATH_DELIVERED, "%s", path.reason);
        n += strcmp(place_object(fixture->fabric, path.end), nic) == 0;
    }
    return n;
}

static void assert_learned(struct fixture *fixture, const char *router, const char *prefix,
                           const char *want)
{
    char text[ROWS_TEXT];
    cr_expect_str_eq(rows_learned(fixture, router, prefix, text), want, "%s at %s: %s, not %s",
                     router, prefix, text, want);
}

static void set_health(struct fixture *fixture, const char *router, bool up)
{
    cr_assert_eq(sim_router_health(fixture->sim, fixture_router(fixture, router), 0, up), 0);
    fixture_settle(fixture);
}

/* Every node counts in the TTL but the gateway, natively also the fabric: that sends at er1 and at nva1. */
Test(anycast, the_nearer_region_answers_and_the_other_takes_over)
{
    struct fixture fixture;
    struct path path;
    char text[WAYS_TEXT];
    fixture_open_example(&fixture, EXAMPLE, NULL);
    assert_learned(&fixture, "msee1", "9.9.9.9/32", "65515-65010");
    assert_learned(&fixture, "msee2", "9.9.9.9/32", "65515-65010-65010-65010");
    assert_learned(&fixture, "cpe1", "9.9.9.9/32", "12076");
    assert_learned(&fixture, "msee1", "172.20.0.0/16", "65050");
    cr_expect_eq(flows_to(&fixture, "app1"), PORTS);
    ways_walk(&fixture, "client", "9.9.9.9", 1000, 64, NULL, &path);
    cr_expect_eq(path.ttl, 59, "%s", ways_told(fixture.fabric, &path, text));
    char source[LPM_ADDRESS_TEXT];
    cr_expect_str_eq(lpm_address_format(&path.source, source), "10.1.2.4");
    set_health(&fixture, "nva1-os", false);
    assert_learned(&fixture, "msee1", "9.9.9.9/32", "-");
    cr_expect_eq(flows_to(&fixture, "app2"), PORTS);
    set_health(&fixture, "nva1-os", true);
    cr_expect_eq(flows_to(&fixture, "app1"), PORTS);
    fixture_close(&fixture);
}

/* The longer path of region 2 shows at its provider edge alone. */
Test(anycast, without_a_policy_of_its_own_the_customer_spreads_over_both_regions)
{
    static const struct fixture_edit edits[] = {{", import: prefer", ""}, {0}};
    struct fixture fixture;
    fixture_open_example(&fixture, EXAMPLE, edits);
    const unsigned first = flows_to(&fixture, "app1");
    cr_expect(first > PORTS / 3 && first < PORTS * 2 / 3, "%u of %u", first, PORTS);
    cr_expect_eq(flows_to(&fixture, "app2"), PORTS - first);
    fixture_close(&fixture);
}

/* There and back, node by node; one gateway instance each, so that there is one way. */
static const struct fixture_edit single[] = {{"[10.1.0.68, 10.1.0.69]", "[10.1.0.68]"},
                                             {"[10.2.0.68, 10.2.0.69]", "[10.2.0.68]"},
                                             {"mode: native", "mode: azure"},
                                             {0}};

Test(anycast, every_node_but_gateways_counts_in_the_ttl)
{
    static const struct ways_way ways[] = {
        {"client", "9.9.9.9",
         "client - > cpe1 9.9.9.9/32 > msee1 9.9.9.9/32 > er1/0 9.9.9.9/32 > nva1 10.1.0.0/20 > "
         "app1 61",
         "app1 10.1.0.0/20 > nva1 172.20.0.0/16 > er1/0 172.20.0.0/16 > msee1 172.20.0.0/16 > cpe1 "
         "172.20.0.10/32 > client 61"},
        {"client", "app2",
         "client - > cpe1 10.2.0.0/20 > msee2 10.2.0.0/20 > er2/0 10.2.0.0/20 > app2 62",
         "app2 172.20.0.0/16 > er2/0 172.20.0.0/16 > msee2 172.20.0.0/16 > cpe1 172.20.0.10/32 > "
         "client 62"},
        {"app1", "172.20.3.3",
         "app1 172.20.0.0/16 > er1/0 172.20.0.0/16 > msee1 172.20.0.0/16 > cpe1 62", NULL},
        {"client", "10.77.0.1", "client - > no-route at cpe1", NULL},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, EXAMPLE, single);
    ways_assert(&fixture, ways, sizeof(ways) / sizeof(ways[0]));
    fixture_close(&fixture);
}

/* The answer of an application that sees the client itself does not come back by the NVA, and the client
 * does not know who sent it. */
Test(anycast, answers_to_a_translated_destination_have_to_come_back)
{
    static const struct fixture_edit edits[] = {{"[10.1.0.68, 10.1.0.69]", "[10.1.0.68]"},
                                                {"mode: native", "mode: azure"},
                                                {"source_nat: true", "source_nat: false"},
                                                {0}};
    static const struct ways_way ways[] = {
        {"client", "9.9.9.9",
         "client - > cpe1 9.9.9.9/32 > msee1 9.9.9.9/32 > er1/0 9.9.9.9/32 > nva1 10.1.0.0/20 > "
         "app1 61",
         "app1 172.20.0.0/16 > er1/0 172.20.0.0/16 > msee1 172.20.0.0/16 > cpe1 172.20.0.10/32 > "
         "no-session at client"},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, EXAMPLE, edits);
    ways_assert(&fixture, ways, 1);
    fixture_close(&fixture);
}
