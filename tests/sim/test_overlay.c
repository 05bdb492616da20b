/* On-premises behind an NVA, by an IPsec tunnel over ExpressRoute: rows and ways, exactly. */
#include <criterion/criterion.h>

#include "engine/sim/circuit.h"
#include "tests/sim/rows.h"
#include "tests/sim/ways.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EXAMPLE      "overlay-express-route"

static const struct fixture_edit azure[] = {{"mode: native", "mode: azure"}, {0}};

static const struct ways_row overlay_rows[] = {
    {"vm11", "172.20.0.0/16", "10.1.2.4"},   {"vm11", "192.0.2.1/32", "10.1.0.68"},
    {"vm21", "172.20.0.0/16", "10.2.2.4"},   {"vm21", "192.0.2.1/32", "-"},
    {"hub1vm", "172.20.0.0/16", "10.1.2.4"}, {"vm11", "10.2.16.0/24", "10.1.2.4"},
};

/* Only NVAs and the customer's box take one off the TTL: what carries the tunnels is not seen. */
Test(overlay, both_regions_reach_the_client_through_the_tunnels)
{
    static const struct ways_way ways[] = {
        {"vm11", "client",
         "vm11 172.20.0.0/16 > nva1-os ip1 > (nva1) 192.0.2.1/32 > (er1/0) 192.0.2.1/32 > (msee1) "
         "192.0.2.1/32 > cpe1 172.20.0.10/32 > client 62",
         "client - > cpe1 ip1 > (cpe1) 10.1.0.0/20 > (msee1) 10.1.0.0/20 > (er1/0) 10.1.0.0/20 > "
         "nva1 10.1.16.0/24 > vm11 62"},
        {"vm21", "client",
         "vm21 172.20.0.0/16 > nva2-os vx12 > (nva2) 10.1.0.0/20 > nva1-os ip1 > (nva1) "
         "192.0.2.1/32 > (er1/0) 192.0.2.1/32 > (msee1) 192.0.2.1/32 > cpe1 172.20.0.10/32 > "
         "client 61",
         "client - > cpe1 ip1 > (cpe1) 10.1.0.0/20 > (msee1) 10.1.0.0/20 > (er1/0) 10.1.0.0/20 > "
         "nva1-os vx12 > (nva1) 10.2.0.0/20 > nva2 10.2.16.0/24 > vm21 61"},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, EXAMPLE, azure);
    ways_assert_rows(&fixture, overlay_rows, COUNT(overlay_rows));
    ways_assert(&fixture, ways, COUNT(ways));
    fixture_close(&fixture);
}

/* The class of a route decides before its way: region 1 bypasses its NVA then. */
Test(overlay, what_the_circuit_carries_too_bypasses_the_nva_of_its_region)
{
    static const struct fixture_edit edits[] = {{", export: loopback", ""}, {0}};
    static const struct ways_row rows[] = {{"vm11", "172.20.0.0/16", "10.1.0.68"},
                                           {"hub1vm", "172.20.0.0/16", "10.1.0.68"},
                                           {"vm21", "172.20.0.0/16", "10.2.2.4"}};
    struct fixture fixture;
    fixture_open_example(&fixture, EXAMPLE, edits);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    fixture_close(&fixture);
}

/* The tunnel falls with the circuit that carries it, and its routes in both regions with it. */
Test(overlay, a_circuit_that_is_lost_takes_the_tunnel_along)
{
    static const struct ways_row rows[] = {{"vm11", "172.20.0.0/16", "-"},
                                           {"vm11", "192.0.2.1/32", "-"},
                                           {"vm21", "172.20.0.0/16", "-"},
                                           {"vm11", "10.2.16.0/24", "10.1.2.4"}};
    struct fixture fixture;
    fixture_open_example(&fixture, EXAMPLE, NULL);
    const uint32_t msee1 = fixture_router(&fixture, "msee1");
    cr_assert_eq(sim_router_fail(fixture.sim, msee1, SIM_KILL), 0);
    fixture_settle(&fixture);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    cr_assert_eq(sim_router_restart(fixture.sim, msee1), 0);
    fixture_settle(&fixture);
    ways_assert_rows(&fixture, overlay_rows, COUNT(overlay_rows));
    fixture_close(&fixture);
}

/* A tunnel whose own way leads into the tunnel carries nothing. */
Test(overlay, a_tunnel_within_itself_is_lost)
{
    static const struct fixture_edit edits[] = {
        {"    originate: [172.20.0.0/16, 192.0.2.1/32]\n",
         "    originate: [172.20.0.0/16, 192.0.2.1/32]\n"
         "    static: [{prefix: 10.1.2.4/32, via: 172.31.1.0}]\n"},
        {0}};
    static const struct ways_row rows[] = {{"vm11", "172.20.0.0/16", "-"},
                                           {"vm11", "192.0.2.1/32", "10.1.0.68"}};
    struct fixture fixture;
    fixture_open_example(&fixture, EXAMPLE, edits);
    cr_assert_str_eq(fixture.fabric->tunnels[0].name, "ip1");
    cr_assert_str_eq(sim_circuit_lost(fixture.sim, 0), "loop");
    ways_assert_rows(&fixture, rows, COUNT(rows));
    fixture_close(&fixture);
}
