/*
 * The topology: VNets with a route server or gateway above, the others below in rows, boxes on-prem at
 * the top; a line for each peering and each session of a router that owns no NIC.
 */
#include <stdlib.h>

#include "engine/cli/drill_picture.h"
#include "engine/cli/html.h"

#define BOX_WIDTH  230.0
#define BOX_GAP    20.0
#define LINE       16.0
#define COLUMNS    4u
#define BOXES_MOST 200u /* more are no picture any more */
#define NICS_MOST  10u  /* lines of NICs in one box */

struct box {
    double x, y, height;
    bool above;
};

struct map {
    const struct fabric *fabric;
    struct box *vnets, *routers; /* of routers, those on-prem have a height */
    double height;
};

/* --- Sizes ------------------------------------------------------------------------------------ */

static unsigned nics_of(const struct fabric *fabric, uint32_t vnet)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        n += fabric->nics[i].vnet == vnet;
    return n;
}

static unsigned lines_of(const struct fabric *fabric, uint32_t vnet)
{
    unsigned nics = nics_of(fabric, vnet), lines = 2;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        lines += fabric->route_servers[i].vnet == vnet;
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        lines += fabric->gateways[i].vnet == vnet;
    return lines + (nics > NICS_MOST ? NICS_MOST + 1 : nics);
}

static bool has_control(const struct fabric *fabric, uint32_t vnet)
{
    bool has = fabric->vnets[vnet].route_server != FABRIC_NONE;
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        has |= fabric->gateways[i].vnet == vnet;
    return has;
}

/* Boxes in rows of COLUMNS; a row is as high as its highest. */
struct rows {
    unsigned used;
    double y, highest;
};

static void place(struct rows *rows, struct box *box, double height)
{
    if (rows->used == COLUMNS) {
        rows->used = 0;
        rows->y += rows->highest + 2 * BOX_GAP;
        rows->highest = 0;
    }
    box->x = BOX_GAP + rows->used++ * (BOX_WIDTH + BOX_GAP);
    box->y = rows->y;
    box->height = height;
    if (rows->highest < height)
        rows->highest = height;
}

static void end_row(struct rows *rows)
{
    if (rows->used)
        rows->y += rows->highest + 3 * BOX_GAP;
    *rows = (struct rows){.y = rows->y};
}

static void arrange(struct map *map)
{
    const struct fabric *fabric = map->fabric;
    struct rows rows = {.y = BOX_GAP};
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        if (fabric->routers[i].nic_count == 0)
            place(&rows, &map->routers[i], 2.5 * LINE);
    end_row(&rows);
    for (unsigned above = 2; above-- > 0; end_row(&rows))
        for (uint32_t i = 0; i < fabric->vnets_count; i++)
            if (has_control(fabric, i) == (above == 1)) {
                map->vnets[i].above = above;
                place(&rows, &map->vnets[i], LINE * (lines_of(fabric, i) + 1));
            }
    map->height = rows.y;
}

/* --- Drawing ---------------------------------------------------------------------------------- */

static void join(FILE *to, const char *class, const struct box *a, const struct box *b)
{
    const struct box *upper = a->y <= b->y ? a : b, *lower = upper == a ? b : a;
    double from = upper->y == lower->y ? upper->y : upper->y + upper->height;
    fprintf(to, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class,
            upper->x + BOX_WIDTH / 2, from, lower->x + BOX_WIDTH / 2, lower->y);
}

static void line_of(FILE *to, const struct box *box, unsigned *line, const char *class,
                    const char *name, const char *more)
{
    fprintf(to, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, box->x + 8,
            box->y + LINE * ++*line);
    html_print(to, "%.30s %.40s", name, more);
    fputs("</text>\n", to);
}

static void outline(FILE *to, const char *class, const struct box *box)
{
    fprintf(to,
            "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"6\"/>\n",
            class, box->x, box->y, BOX_WIDTH, box->height);
}

static void draw_nics(FILE *to, const struct fabric *fabric, uint32_t vnet, const struct box *box,
                      unsigned *line)
{
    char text[LPM_ADDRESS_TEXT];
    unsigned n = 0, all = nics_of(fabric, vnet);
    for (uint32_t i = 0; i < fabric->nics_count && n < NICS_MOST; i++) {
        const struct fabric_nic *nic = &fabric->nics[i];
        if (nic->vnet != vnet)
            continue;
        n++;
        line_of(to, box, line, nic->router == FABRIC_NONE ? "nic" : "router", nic->name,
                nic->addresses.n ? lpm_address_format(&nic->addresses.items[0], text) : "");
    }
    snprintf(text, sizeof(text), "and %u more", all - n);
    if (all > n)
        line_of(to, box, line, "nic", text, "");
}

static void draw_vnet(FILE *to, const struct map *map, uint32_t vnet)
{
    const struct fabric *fabric = map->fabric;
    const struct box *box = &map->vnets[vnet];
    char text[2 * LPM_ADDRESS_TEXT];
    unsigned line = 0;
    outline(to, "vnet", box);
    line_of(to, box, &line, "name", fabric->vnets[vnet].name,
            fabric->vnets[vnet].region ? fabric->vnets[vnet].region : "");
    line_of(to, box, &line, "nic",
            fabric->vnets[vnet].space.n
                ? lpm_prefix_format(&fabric->vnets[vnet].space.items[0], text)
                : "",
            fabric->vnets[vnet].space.n > 1 ? ", …" : "");
    for (uint32_t i = 0; i < fabric->route_servers_count; i++) {
        snprintf(text, sizeof(text), "route server, AS %u", fabric->route_servers[i].asn);
        if (fabric->route_servers[i].vnet == vnet)
            line_of(to, box, &line, "server", fabric->route_servers[i].name, text);
    }
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        if (fabric->gateways[i].vnet == vnet)
            line_of(to, box, &line, "server", fabric->gateways[i].name,
                    fabric->gateways[i].vpn ? "VPN gateway" : "ExpressRoute gateway");
    draw_nics(to, fabric, vnet, box, &line);
}

static void draw_sessions(FILE *to, const struct map *map)
{
    const struct fabric *fabric = map->fabric;
    for (uint32_t i = 0; i < fabric->routers_count; i++) {
        const struct fabric_router *router = &fabric->routers[i];
        for (uint32_t j = 0; router->nic_count == 0 && j < router->neighbor_count; j++) {
            const struct fabric_neighbor *neighbor = &router->neighbors[j];
            const struct box *other = NULL;
            if (neighbor->gateway != FABRIC_NONE)
                other = &map->vnets[fabric->gateways[neighbor->gateway].vnet];
            else if (neighbor->router != FABRIC_NONE)
                other =
                    fabric->routers[neighbor->router].nic_count
                        ? &map->vnets[fabric->nics[fabric->routers[neighbor->router].nics[0]].vnet]
                        : &map->routers[neighbor->router];
            if (other && other != &map->routers[i])
                join(to, "session", &map->routers[i], other);
        }
    }
}

static void draw(FILE *to, const struct map *map)
{
    const struct fabric *fabric = map->fabric;
    fprintf(to, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"topology\">\n",
            BOX_GAP + COLUMNS * (BOX_WIDTH + BOX_GAP), map->height);
    for (uint32_t i = 0; i < fabric->peerings_count; i++)
        join(to, "peering", &map->vnets[fabric->peerings[i].vnets[0]],
             &map->vnets[fabric->peerings[i].vnets[1]]);
    draw_sessions(to, map);
    for (uint32_t i = 0; i < fabric->routers_count; i++) {
        char text[32];
        unsigned line = 0;
        if (fabric->routers[i].nic_count > 0)
            continue;
        outline(to, "site", &map->routers[i]);
        snprintf(text, sizeof(text), "AS %u", fabric->routers[i].asn);
        line_of(to, &map->routers[i], &line, "name", fabric->routers[i].name, text);
    }
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        draw_vnet(to, map, i);
    fputs("</svg>\n", to);
}

void drill_map(FILE *to, const struct fabric *fabric)
{
    struct map map = {.fabric = fabric};
    if (fabric->vnets_count > BOXES_MOST || fabric->routers_count > BOXES_MOST) {
        fprintf(to, "<p>%u VNets and %u routers: too many to be drawn.</p>\n", fabric->vnets_count,
                fabric->routers_count);
        return;
    }
    map.vnets = calloc((size_t)fabric->vnets_count + 1, sizeof(*map.vnets));
    map.routers = calloc((size_t)fabric->routers_count + 1, sizeof(*map.routers));
    if (map.vnets && map.routers) {
        arrange(&map);
        draw(to, &map);
    }
    free(map.vnets);
    free(map.routers);
}
