/*
 * `routes --explain`: the rule that is named for each way in which a candidate wins, loses or is
 * kept out. Every name of engine/fabric/rules.h that a fabric can bring about stands here once.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/explain.h"
#include "engine/fabric/rules.h"
#include "tests/fabric/world.h"

/* "source via verdict rule", one candidate a line. */
static void expect_explanation(const struct world *world, uint32_t nic, const char *prefix_text,
                               const char *expected)
{
    struct fabric_scope scope = fabric_scope_of(&world->fabric, nic);
    struct lpm_prefix prefix = world_prefix(prefix_text);
    struct fabric_explanation explanation;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    cr_assert_eq(fabric_explain(&world->fabric, &world->bgp, &scope, &prefix, &explanation), 0);
    for (size_t i = 0; i < explanation.n; i++) {
        const struct fabric_candidate *candidate = &explanation.candidates[i];
        fprintf(out, "%s %s %s %s\n", fabric_source_text(candidate->source), candidate->via,
                fabric_verdict_text(candidate->verdict), candidate->rule);
    }
    fclose(out);
    cr_expect_str_eq(text, expected, "%s at %s:\n%sand not\n%s", prefix_text, world->nics[nic].name,
                     text, expected);
    free(text);
    fabric_explanation_free(&explanation);
}

Test(explain, classes_compete_at_one_prefix)
{
    struct base_h base = world_base_h();
    uint32_t table = world_add_table(base.world, "spoke-table", true);
    world_add_route(base.world, table, "10.0.0.0/8", FABRIC_INTERNET, NULL);
    expect_explanation(base.world, base.vm1, "10.0.0.0/8",
                       "Default reserved installed only-class\n");
    world_announce(base.world, base.server, "10.0.1.4", "10.0.0.0/8");
    expect_explanation(base.world, base.vm1, "10.0.0.0/8",
                       "VirtualNetworkGateway rs1 installed class-precedence\n"
                       "Default reserved lost class-precedence\n");
    base.world->subnets[base.spoke1_subnet].route_table = table;
    expect_explanation(base.world, base.vm1, "10.0.0.0/8",
                       "User spoke-table installed class-precedence\n"
                       "VirtualNetworkGateway rs1 lost class-precedence\n"
                       "Default reserved lost class-precedence\n");
    base.world->tables[table].bgp_propagation = false;
    expect_explanation(base.world, base.vm1, "10.0.0.0/8",
                       "User spoke-table installed class-precedence\n"
                       "VirtualNetworkGateway rs1 filtered bgp-propagation-off\n"
                       "Default reserved lost class-precedence\n");
    world_destroy(base.world);
}

Test(explain, reserved_rows_hang_on_the_default_and_on_space)
{
    struct base_h base = world_base_h();
    world_announce(base.world, base.server, "10.0.1.4", "0.0.0.0/0");
    expect_explanation(base.world, base.vm1, "100.64.0.0/10",
                       "Default reserved filtered default-overridden\n");
    base.world->vnets[base.spoke2].space.items[0] = world_prefix("100.64.0.0/10");
    world_add_peering(base.world, base.spoke1, base.spoke2);
    expect_explanation(base.world, base.vm1, "100.64.0.0/10",
                       "Default spoke2 installed only-class\n"
                       "Default reserved filtered reserved-in-use\n");
    world_destroy(base.world);
}

Test(explain, the_import_filters_are_told_apart)
{
    struct base_h base = world_base_h();
    struct fabric_subnet *subnet = &base.world->subnets[base.spoke1_subnet];
    world_add_tag(base.world, "Storage", "20.60.0.0/16");
    world_set_strings(base.world, &subnet->service_endpoints, "Storage");
    world_announce(base.world, base.server, "10.0.1.4", "10.1.5.0/24");
    world_announce(base.world, base.server, "10.0.1.4", "20.60.7.0/24");
    world_announce(base.world, base.server, "10.0.1.4", "9.9.9.9/32");
    expect_explanation(base.world, base.vm1, "10.1.5.0/24",
                       "VirtualNetworkGateway rs1 filtered vnet-import-filter\n");
    expect_explanation(base.world, base.vm1, "20.60.7.0/24",
                       "VirtualNetworkGateway rs1 filtered service-endpoint\n");
    expect_explanation(base.world, base.nva1, "9.9.9.9/32",
                       "VirtualNetworkGateway rs1 filtered own-announcement\n");
    subnet->reject_nva = true;
    expect_explanation(base.world, base.vm1, "9.9.9.9/32",
                       "VirtualNetworkGateway rs1 filtered subnet-import-filter\n");
    expect_explanation(base.world, base.vm1, "10.2.0.0/16",
                       "VirtualNetworkGateway rs1 filtered originated-by-route-server\n");
    world_destroy(base.world);
}

Test(explain, the_route_servers_own_reasons_are_passed_on)
{
    struct base_h base = world_base_h();
    struct lpm_prefix prefix = world_prefix("172.20.0.0/16");
    struct lpm_address nva2 = world_address("10.0.1.5");
    world_announce(base.world, base.server, "10.0.1.4", "172.20.0.0/16");
    world_announce_path(base.world, base.server, &prefix, &nva2, &nva2, RIB_SOURCE_NVA, NULL,
                        false);
    expect_explanation(base.world, base.vm1, "172.20.0.0/16",
                       "VirtualNetworkGateway rs1 installed only-class\n"
                       "VirtualNetworkGateway rs1 lost as-path-length\n");
    world_destroy(base.world);
}

Test(explain, system_candidates_that_do_not_stand_are_named)
{
    struct base_h base = world_base_h();
    base.world->peerings[0].in_sync = false;
    expect_explanation(base.world, base.vm1, "10.0.0.0/22",
                       "Default hub filtered peering-without-routes\n");
    world_add_tag(base.world, "Hub", "10.0.2.0/24 10.0.0.0/22");
    world_set_strings(base.world, &base.world->subnets[base.nva_subnet].service_endpoints, "Hub");
    expect_explanation(base.world, base.nva1, "10.0.0.0/22",
                       "VirtualNetworkGateway rs1 filtered originated-by-route-server\n"
                       "Default hub installed only-class\n"
                       "Default Hub lost system-order\n");
    world_destroy(base.world);
}

Test(explain, a_prefix_that_nobody_offers_has_no_candidate)
{
    struct base_h base = world_base_h();
    expect_explanation(base.world, base.vm1, "203.0.113.0/24", "");
    world_destroy(base.world);
}

/* The reference cannot fall behind: a rule is printed, so a rule is explained. */
Test(explain, every_rule_is_in_the_reference)
{
    static const char *const rules[] = {FABRIC_RULE_ONLY_CLASS,
                                        FABRIC_RULE_CLASS_PRECEDENCE,
                                        FABRIC_RULE_SYSTEM_ORDER,
                                        FABRIC_RULE_PEERING_WITHOUT_ROUTES,
                                        FABRIC_RULE_RESERVED_IN_USE,
                                        FABRIC_RULE_DEFAULT_OVERRIDDEN,
                                        FABRIC_RULE_NO_IPV6,
                                        FABRIC_RULE_PROPAGATION_OFF,
                                        FABRIC_RULE_VNET_IMPORT_FILTER,
                                        FABRIC_RULE_SERVICE_ENDPOINT,
                                        FABRIC_RULE_OWN_ANNOUNCEMENT,
                                        FABRIC_RULE_SUBNET_IMPORT_FILTER,
                                        FABRIC_RULE_ORIGINATED,
                                        FABRIC_RULE_HUB_ROUTING_PREFERENCE,
                                        FABRIC_RULE_AS_PATH_LENGTH,
                                        FABRIC_RULE_AS_LOOP,
                                        FABRIC_RULE_POLICY,
                                        FABRIC_RULE_NEXT_HOP,
                                        FABRIC_RULE_DUPLICATE_NEXT_HOP,
                                        FABRIC_RULE_ECMP_LIMIT};
    static char text[64 * 1024];
    FILE *file = fopen(SOURCE_ROOT "/docs/effective-routes.md", "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "`%s`", rules[i]);
        cr_expect_not_null(strstr(text, quoted), "%s is not explained", rules[i]);
    }
}
