/*
 * Whatever an example has can leave it and come back, while it runs: after each of the two the twin is what it would
 * be from the start.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/drill.h"
#include "lpm/rcu.h"
#include "tests/sim/fixture.h"
#include "tests/sim/world.h"

/* --- One removal -------------------------------------------------------------------------------- */

struct removal {
    const char *example;
    char *drill; /* the text of a drill with one event */
};

static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    const struct removal *removal = context;
    char file[512];
    size_t room = 0;
    *is_directory = false;
    *text = NULL;
    if (strcmp(path, "drill.yaml") == 0) {
        *text = strdup(removal->drill);
        *length = strlen(*text);
        return 0;
    }
    snprintf(file, sizeof(file), SOURCE_ROOT "/docs/examples/%s/fabric.yaml", removal->example);
    FILE *in = fopen(file, "r");
    cr_assert_not_null(in, "%s", file);
    cr_assert_geq(getdelim(text, &room, '\0', in), 0);
    fclose(in);
    *length = strlen(*text);
    return 0;
}

/* NULL: the rest of the fabric needs what is removed. */
static struct fabric_drill *load(struct removal *removal)
{
    const struct fabric_reader reader = {.context = removal, .read = read_text};
    struct fabric_problems problems;
    struct fabric_drill *drill = fabric_drill_load("drill.yaml", "fabric.yaml", &reader, &problems);
    fabric_problems_free(&problems);
    return drill;
}

/* --- Worlds --------------------------------------------------------------------------------------- */

static int add_choice(void *context, const struct lpm_prefix *prefix,
                      const struct rib_choice *choice)
{
    char text[LPM_PREFIX_TEXT], path[256];
    bgp_as_path_format(choice->paths[0].attributes, '-', path, sizeof(path));
    fprintf(context, "  %s %u %s\n", lpm_prefix_format(prefix, text), choice->n, path);
    return 0;
}

static void add_rows(FILE *out, struct world *world, const struct fabric *fabric, uint32_t nic)
{
    struct fabric_scope scope = fabric_scope_of(fabric, nic);
    struct fabric_row *rows;
    size_t n;
    char text[LPM_PREFIX_TEXT];
    cr_assert_eq(fabric_rows(fabric, controller_bgp(sim_controller(world->sim)), &scope, &rows, &n),
                 0);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "  %s %d%d %d", lpm_prefix_format(&rows[i].prefix, text), rows[i].active,
                (int)rows[i].source, (int)rows[i].type);
        for (unsigned j = 0; j < rows[i].next_hop_count; j++)
            fprintf(out, " %s", lpm_address_format(&rows[i].next_hops[j], text));
        fputc('\n', out);
    }
    free(rows);
}

/* All rows of all NICs, and what every router and gateway has learned. */
static char *state_of(struct world *world, const struct fabric *fabric)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        fprintf(out, "%s\n", fabric->nics[i].name);
        add_rows(out, world, fabric, i);
    }
    for (uint32_t i = 0; i < fabric->routers_count; i++) {
        fprintf(out, "%s\n", fabric->routers[i].name);
        if (sim_router_speaker(world->sim, i))
            speaker_each_choice(sim_router_speaker(world->sim, i), add_choice, out);
    }
    for (uint32_t i = 0; i < fabric->gateways_count; i++) {
        fprintf(out, "%s\n", fabric->gateways[i].name);
        speaker_each_choice(controller_gateway_speaker(sim_controller(world->sim), i), add_choice,
                            out);
    }
    fclose(out);
    return text;
}

/* To the first lines that differ. */
static void skip_alike(const char **a, const char **b)
{
    for (;;) {
        const size_t n = strcspn(*a, "\n");
        if (**a == '\0' || n != strcspn(*b, "\n") || strncmp(*a, *b, n) != 0)
            return;
        *a += n + 1;
        *b += n + 1;
    }
}

static void take(struct world *world, const struct fabric *fabric, const char *want,
                 const struct removal *removal)
{
    char error[DP_ERROR_TEXT] = "";
    cr_assert_eq(sim_apply(world->sim, fabric, error), 0, "%s, %s: %s", removal->example,
                 removal->drill, error);
    cr_assert_eq(sim_run(world->sim, 20), 0); /* daemons that end take their time */
    cr_assert_eq(sim_settle(world->sim, 600000), 0, "%s, %s does not settle", removal->example,
                 removal->drill);
    cr_assert(program_validate(controller_program(sim_controller(world->sim)), error), "%s, %s: %s",
              removal->example, removal->drill, error);
    char *have = state_of(world, fabric);
    const char *at_have = have, *at_want = want;
    skip_alike(&at_have, &at_want);
    cr_expect(*at_have == 0 && *at_want == 0,
              "%s, %s: of %u routers:\n%.300s\nand from scratch\n%.300s", removal->example,
              removal->drill, fabric->routers_count, at_have, at_want);
    free(have);
}

/* --- All objects ------------------------------------------------------------------------------------ */

/* What can leave: kinds, and how many of each did. */
enum { NICS, PEERINGS, VNETS, ROUTERS, TUNNELS, GATEWAYS, PEERS, NEIGHBORS, TABLES, KINDS };

struct trial {
    struct removal removal;
    struct world world; /* that everything leaves, and comes back to */
    struct fabric_drill **
        drills; /* the twin has been given their fabrics: they live as long; the first has it whole */
    size_t drill_count;
    char *before;
    unsigned gone[KINDS];
};

static void keep(struct trial *trial, struct fabric_drill *drill)
{
    trial->drills = realloc(trial->drills, (trial->drill_count + 1) * sizeof(drill));
    trial->drills[trial->drill_count++] = drill;
}

/* Returns whether it could leave. */
static bool try_to_remove(struct trial *trial, unsigned kind, const char *what)
{
    cr_assert_gt(
        asprintf(&trial->removal.drill, "drill: d\nevents: [{at_ms: 0, remove: {%s}}]\n", what), 0);
    struct fabric_drill *drill = load(&trial->removal);
    if (drill) {
        keep(trial, drill);
        struct world fresh;
        world_open(&fresh, drill->stages[1], 0);
        char *without = state_of(&fresh, drill->stages[1]);
        world_close(&fresh);
        take(&trial->world, drill->stages[1], without, &trial->removal);
        take(&trial->world, trial->drills[0]->stages[0], trial->before, &trial->removal);
        trial->gone[kind]++;
        free(without);
    }
    free(trial->removal.drill);
    return drill != NULL;
}

static bool try_named(struct trial *trial, unsigned kind, const char *path, const char *name)
{
    char text[1000];
    snprintf(text, sizeof(text), "%s: ['%s']", path, name);
    return try_to_remove(trial, kind, text);
}

/* What names a neighbor, for remove: of route servers, gateways, routers. */
static const char *neighbor_name(const struct fabric *fabric,
                                 const struct fabric_neighbor *neighbor)
{
    if (neighbor->route_server != FABRIC_NONE)
        return fabric->route_servers[neighbor->route_server].name;
    if (neighbor->gateway != FABRIC_NONE)
        return fabric->gateways[neighbor->gateway].name;
    return neighbor->router != FABRIC_NONE ? fabric->routers[neighbor->router].name : NULL;
}

/* Everything that names the router, with it. */
static void try_router(struct trial *trial, const struct fabric *fabric, uint32_t router)
{
    const char *name = fabric->routers[router].name;
    char *text = NULL;
    size_t length;
    if (try_named(trial, ROUTERS, "routers", name))
        return;
    FILE *out = open_memstream(&text, &length);
    fprintf(out, "routers: ['%s']", name);
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; i != router && j < fabric->routers[i].neighbor_count; j++)
            if (fabric->routers[i].neighbors[j].router == router)
                fprintf(out, ", routers/%s/neighbors: ['%s']", fabric->routers[i].name, name);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        for (uint32_t j = 0; j < fabric->gateways[i].neighbor_count; j++)
            if (fabric->gateways[i].neighbors[j].router == router)
                fprintf(out, ", gateways/%s/neighbors: ['%s']", fabric->gateways[i].name, name);
    for (uint32_t i = 0; i < fabric->tunnels_count; i++)
        if (fabric->tunnels[i].ends[0] == router || fabric->tunnels[i].ends[1] == router)
            fprintf(out, ", tunnels: ['%s']", fabric->tunnels[i].name); /* no example has two */
    fclose(out);
    try_to_remove(trial, ROUTERS, text);
    free(text);
}

static void try_neighbors(struct trial *trial, const struct fabric *fabric)
{
    char path[200];
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].neighbor_count; j++) {
            const char *name = neighbor_name(fabric, &fabric->routers[i].neighbors[j]);
            snprintf(path, sizeof(path), "routers/%s/neighbors", fabric->routers[i].name);
            if (name)
                try_named(trial, NEIGHBORS, path, name);
        }
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        for (uint32_t j = 0; j < fabric->gateways[i].neighbor_count; j++) {
            const char *name = neighbor_name(fabric, &fabric->gateways[i].neighbors[j]);
            snprintf(path, sizeof(path), "gateways/%s/neighbors", fabric->gateways[i].name);
            if (name)
                try_named(trial, NEIGHBORS, path, name);
        }
}

/* With the routers' entries that name it. */
static void try_gateway(struct trial *trial, const struct fabric *fabric, uint32_t gateway)
{
    const char *name = fabric->gateways[gateway].name;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    fprintf(out, "gateways: ['%s']", name);
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].neighbor_count; j++)
            if (fabric->routers[i].neighbors[j].gateway == gateway)
                fprintf(out, ", routers/%s/neighbors: ['%s']", fabric->routers[i].name, name);
    fclose(out);
    try_to_remove(trial, GATEWAYS, text);
    free(text);
}

/* With what is in it and what joins it to others. */
static void try_vnet(struct trial *trial, const struct fabric *fabric, uint32_t vnet)
{
    char *text = NULL;
    size_t length, n = 0;
    FILE *out = open_memstream(&text, &length);
    fprintf(out, "vnets: ['%s'], nics: [", fabric->vnets[vnet].name);
    for (uint32_t i = 0; i < fabric->nics_count - fabric->brought_nic_count; i++)
        if (fabric->nics[i].vnet == vnet)
            fprintf(out, "%s'%s'", n++ ? ", " : "", fabric->nics[i].name);
    fputs("]", out);
    n = 0;
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        const struct fabric_peering *peering = &fabric->peerings[i];
        if (peering->vnets[0] == vnet || peering->vnets[1] == vnet)
            fprintf(out, "%s'%s,%s'", n++ ? ", " : ", peerings: [",
                    fabric->vnets[peering->vnets[0]].name, fabric->vnets[peering->vnets[1]].name);
    }
    fputs(n ? "]" : "", out);
    fclose(out);
    try_to_remove(trial, VNETS, text);
    free(text);
}

/* With the session inside it. */
static void try_tunnel(struct trial *trial, const struct fabric *fabric, uint32_t tunnel)
{
    char text[1000];
    const struct fabric_tunnel *model = &fabric->tunnels[tunnel];
    const char *a = fabric->routers[model->ends[0]].name;
    const char *b = fabric->routers[model->ends[1]].name;
    snprintf(text, sizeof(text),
             "tunnels: ['%.80s'], routers/%.80s/neighbors: ['%.80s'], routers/%.80s/neighbors: "
             "['%.80s']",
             model->name, a, b, b, a);
    try_to_remove(trial, TUNNELS, text);
}

static void try_network(struct trial *trial, const struct fabric *fabric)
{
    char text[400];
    for (uint32_t i = 0; i < fabric->nics_count - fabric->brought_nic_count; i++)
        try_named(trial, NICS, "nics", fabric->nics[i].name);
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        try_vnet(trial, fabric, i);
    for (uint32_t i = 0; i < fabric->route_tables_count; i++)
        for (uint32_t j = 0; j < fabric->route_tables[i].route_count; j++) {
            char prefix[LPM_PREFIX_TEXT];
            snprintf(text, sizeof(text), "route_tables/%s/routes", fabric->route_tables[i].name);
            try_named(trial, TABLES, text,
                      lpm_prefix_format(&fabric->route_tables[i].routes[j].prefix, prefix));
        }
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        const struct fabric_peering *peering = &fabric->peerings[i];
        snprintf(text, sizeof(text), "%s,%s", fabric->vnets[peering->vnets[0]].name,
                 fabric->vnets[peering->vnets[1]].name);
        try_named(trial, PEERINGS, "peerings", text);
    }
}

static void try_speakers(struct trial *trial, const struct fabric *fabric)
{
    char path[200];
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        try_router(trial, fabric, i);
    for (uint32_t i = 0; i < fabric->tunnels_count; i++)
        try_tunnel(trial, fabric, i);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        try_gateway(trial, fabric, i);
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        for (uint32_t j = 0; j < fabric->route_servers[i].peer_count; j++) {
            snprintf(path, sizeof(path), "route_servers/%s/peers", fabric->route_servers[i].name);
            try_named(trial, PEERS, path, fabric->route_servers[i].peers[j].name);
        }
    try_neighbors(trial, fabric);
}

static const struct {
    const char *name;
    unsigned gone[KINDS];
} examples[] = {
    {"anycast-express-route", {2, 0, 0, 5, 0, 2, 2, 10, 0}},
    {"dual-homed-express-route", {2, 2, 0, 5, 0, 2, 4, 12, 2}},
    {"express-route-and-vpn", {2, 1, 1, 4, 0, 2, 1, 9, 0}},
    {"multi-region-vxlan", {5, 4, 3, 2, 1, 0, 2, 4, 0}},
    {"overlay-express-route", {5, 4, 3, 3, 2, 1, 2, 10, 0}},
    {"bfd", {3, 2, 2, 2, 0, 0, 2, 2, 1}},
};

Test(topology, whatever_leaves_and_comes_back_leaves_no_trace)
{
    lpm_rcu_register_thread();
    for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
        struct trial trial = {.removal = {examples[i].name, (char[]){"drill: d\n"}}};
        struct fabric_drill *whole = load(&trial.removal);
        cr_assert_not_null(whole, "%s", examples[i].name);
        keep(&trial, whole);
        world_open(&trial.world, whole->stages[0], 0);
        trial.before = state_of(&trial.world, whole->stages[0]);
        try_network(&trial, whole->stages[0]);
        try_speakers(&trial, whole->stages[0]);
        for (unsigned kind = 0; kind < KINDS; kind++)
            cr_expect_eq(trial.gone[kind], examples[i].gone[kind], "%s, kind %u: %u",
                         examples[i].name, kind, trial.gone[kind]);
        world_close(&trial.world);
        for (size_t j = 0; j < trial.drill_count; j++)
            fabric_drill_free(trial.drills[j]);
        free(trial.drills);
        free(trial.before);
    }
    lpm_rcu_unregister_thread();
}
