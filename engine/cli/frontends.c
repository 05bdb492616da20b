#include "engine/cli/frontends.h"

#include <stdio.h>

#include "engine/program/balancer_json.h"

static bool leads_to(const struct fabric *fabric, uint32_t vnet, const struct fabric_row *rows,
                     size_t n, uint32_t balancer)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned j = 0; j < rows[i].next_hop_count; j++)
            if (fabric_resolve_address(fabric, vnet, &rows[i].next_hops[j]) == FABRIC_NONE &&
                fabric_resolve_frontend(fabric, vnet, &rows[i].next_hops[j]) == balancer)
                return true;
    return false;
}

static json_t *list(struct twin *twin, uint32_t vnet, const struct fabric_row *rows, size_t n)
{
    const struct program *program = controller_program(sim_controller(twin->sim));
    json_t *balancers = json_array();
    for (uint32_t i = 0; i < twin->fabric->load_balancers_count; i++)
        if (leads_to(twin->fabric, vnet, rows, n, i))
            json_array_append_new(balancers, program_balancer_json(program, twin->fabric, i));
    return balancers;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_line(const json_t *balancer)
{
    size_t i;
    json_t *backend;
    printf("%s is load balancer %s:", text_of(balancer, "frontend"), text_of(balancer, "name"));
    json_array_foreach(json_object_get(balancer, "backends"), i, backend)
    {
        printf("%s %s %s", i ? "," : "", text_of(backend, "nic"), text_of(backend, "state"));
    }
    putchar('\n');
}

void frontends_text(struct twin *twin, uint32_t vnet, const struct fabric_row *rows, size_t n)
{
    size_t i;
    json_t *balancer, *balancers = list(twin, vnet, rows, n);
    json_array_foreach(balancers, i, balancer)
    {
        print_line(balancer);
    }
    json_decref(balancers);
}

void frontends_json(json_t *document, struct twin *twin, uint32_t vnet,
                    const struct fabric_row *rows, size_t n)
{
    json_t *balancers = list(twin, vnet, rows, n);
    if (json_array_size(balancers) > 0)
        json_object_set(document, "load_balancers", balancers);
    json_decref(balancers);
}
