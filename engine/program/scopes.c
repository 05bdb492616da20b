/*
 * Which NICs share FIBs: NICs are grouped by VNet, then by scope.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/internal.h"

/* A NIC in the order in which NICs of one VNet, and within it of one scope, stand together. */
struct placed {
    uint32_t vnet, nic;
    struct fabric_scope scope;
};

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_scopes(const struct placed *a, const struct placed *b)
{
    int order = compare_numbers(a->vnet, b->vnet);
    if (order == 0)
        order = compare_numbers(a->scope.subnet, b->scope.subnet);
    if (order == 0)
        order = compare_numbers(a->scope.router, b->scope.router);
    if (order == 0)
        order = compare_numbers(a->scope.nic, b->scope.nic);
    return order;
}

static int compare_placed(const void *a, const void *b)
{
    const struct placed *left = a, *right = b;
    int order = compare_scopes(left, right);
    return order ? order : compare_numbers(left->nic, right->nic);
}

static bool is_plain(const struct fabric *fabric, const struct fabric_scope *scope)
{
    const struct fabric_subnet *subnet = &fabric->subnets[scope->subnet];
    return subnet->route_table == FABRIC_NONE && subnet->service_endpoints.n == 0 &&
           !subnet->reject_express_route && !subnet->reject_vpn && !subnet->reject_nva &&
           subnet->reject_communities.n == 0 && scope->router == FABRIC_NONE &&
           scope->nic == FABRIC_NONE;
}

/* n NICs of one scope. */
static int open_scope(const struct fabric *fabric, const struct placed *nics, size_t n,
                      struct program_scope *scope)
{
    int error = fabric_view_open(&scope->view, fabric, &nics[0].scope);
    if (error)
        return error;
    scope->scope = nics[0].scope;
    scope->plain = is_plain(fabric, &scope->scope);
    scope->nics = calloc(n, sizeof(*scope->nics));
    if (!scope->nics)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        scope->nics[scope->nic_count++] = nics[i].nic;
    return 0;
}

static size_t run_of_scope(const struct placed *nics, size_t n)
{
    size_t length = 1;
    while (length < n && compare_scopes(&nics[0], &nics[length]) == 0)
        length++;
    return length;
}

static size_t run_of_vnet(const struct placed *nics, size_t n)
{
    size_t length = 1;
    while (length < n && nics[length].vnet == nics[0].vnet)
        length++;
    return length;
}

/* n NICs of one VNet. */
static int open_vnet(struct program *program, const struct placed *nics, size_t n)
{
    struct program_vnet *vnet = &program->vnets[program->vnet_count++];
    vnet->vnet = nics[0].vnet;
    vnet->groups = program->groups;
    vnet->lpm = dp_forwarding_lpm(program->forwarding);
    vnet->bgp = program->bgp;
    vnet->scopes = calloc(n, sizeof(*vnet->scopes));
    if (!vnet->scopes)
        return -ENOMEM;
    int error = fabric_view_open_plain(&vnet->plain, program->fabric, vnet->vnet);
    for (size_t i = 0; i < n && !error;) {
        size_t length = run_of_scope(&nics[i], n - i);
        struct program_scope *scope = &vnet->scopes[vnet->scope_count++];
        error = open_scope(program->fabric, &nics[i], length, scope);
        for (size_t j = 0; j < scope->nic_count; j++)
            program->scope_of[scope->nics[j]] = scope;
        i += length;
    }
    return error ? error : program_vnet_open(vnet);
}

static size_t count_vnets(const struct placed *nics, size_t n)
{
    size_t vnets = 0;
    for (size_t i = 0; i < n; i += run_of_vnet(&nics[i], n - i))
        vnets++;
    return vnets;
}

int program_scopes_open(struct program *program)
{
    const struct fabric *fabric = program->fabric;
    size_t n = fabric->nics_count;
    struct placed *nics = calloc(n + 1, sizeof(*nics));
    program->scope_of = calloc(n + 1, sizeof(*program->scope_of));
    int error = nics && program->scope_of ? 0 : -ENOMEM;
    if (error)
        goto cleanup;
    for (uint32_t i = 0; i < n; i++)
        nics[i] = (struct placed){
            .vnet = fabric->nics[i].vnet, .nic = i, .scope = fabric_scope_of(fabric, i)};
    qsort(nics, n, sizeof(*nics), compare_placed);
    program->vnets = calloc(count_vnets(nics, n) + 1, sizeof(*program->vnets));
    error = program->vnets ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && !error;) {
        size_t length = run_of_vnet(&nics[i], n - i);
        error = open_vnet(program, &nics[i], length);
        i += length;
    }
cleanup:
    free(nics);
    return error;
}

void program_scopes_close(struct program *program)
{
    for (size_t i = 0; i < program->vnet_count; i++)
        program_vnet_close(&program->vnets[i]);
    free(program->vnets);
    free(program->scope_of);
}
