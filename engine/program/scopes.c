/*
 * Which NICs share FIBs: NICs are grouped by the route server that they follow, then by VNet, then by scope.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/program/internal.h"

/* A NIC in the order in which NICs of one domain, within it of one VNet, and within that of one scope, stand
 * together. */
struct placed {
    uint32_t route_server; /* or FABRIC_NONE */
    uint32_t vnet, nic;
    struct fabric_scope scope;
};

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_scopes(const struct placed *a, const struct placed *b)
{
    int order = compare_numbers(a->route_server, b->route_server);
    if (order == 0)
        order = compare_numbers(a->scope.instance, b->scope.instance);
    if (order == 0)
        order = compare_numbers(a->vnet, b->vnet);
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

/* A subnet whose route table keeps BGP routes out follows no one, like a VNet without a route server. */
static uint32_t followed_by(const struct fabric *fabric, uint32_t nic)
{
    uint32_t table = fabric->subnets[fabric->nics[nic].subnet].route_table;
    if (table != FABRIC_NONE && !fabric->route_tables[table].bgp_propagation)
        return FABRIC_NONE;
    return fabric_route_server_for(fabric, fabric->nics[nic].vnet);
}

/* n NICs of one scope. */
static int open_scope(const struct fabric *fabric, const struct placed *nics, size_t n,
                      struct program_scope *scope)
{
    int error = fabric_view_open(&scope->view, fabric, &nics[0].scope);
    if (error)
        return error;
    scope->scope = nics[0].scope;
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

static bool in_one_domain(const struct placed *a, const struct placed *b)
{
    return a->route_server == b->route_server && a->scope.instance == b->scope.instance;
}

static size_t run_of_vnet(const struct placed *nics, size_t n)
{
    size_t length = 1;
    while (length < n && nics[length].vnet == nics[0].vnet &&
           in_one_domain(&nics[length], &nics[0]))
        length++;
    return length;
}

static size_t run_of_domain(const struct placed *nics, size_t n)
{
    size_t length = 1;
    while (length < n && in_one_domain(&nics[length], &nics[0]))
        length++;
    return length;
}

static int add_odd(struct program_domain *domain, uint32_t scope)
{
    void *grown = realloc(domain->odd, (domain->odd_count + 1) * sizeof(*domain->odd));
    if (!grown)
        return -ENOMEM;
    domain->odd = grown;
    domain->odd[domain->odd_count++] = scope;
    return 0;
}

/* n NICs of one VNet in the domain. */
static int open_vnet(struct program *program, struct program_domain *domain,
                     const struct placed *nics, size_t n)
{
    struct fabric_view plain;
    uint32_t first = (uint32_t)domain->scope_count;
    int error = fabric_view_open_plain(&plain, program->fabric, nics[0].vnet);
    if (error)
        return error;
    for (size_t i = 0; i < n && !error;) {
        size_t length = run_of_scope(&nics[i], n - i);
        uint32_t index = (uint32_t)domain->scope_count++;
        struct program_scope *scope = &domain->scopes[index];
        error = open_scope(program->fabric, &nics[i], length, scope);
        if (!error)
            error = program_special_add_scope(&domain->special, &scope->view, index);
        scope->filters_paths = !error && fabric_view_filters_paths(&scope->view);
        if (!error && (scope->filters_paths || scope->view.own_count > 0))
            error = add_odd(domain, index);
        for (size_t j = 0; j < scope->nic_count; j++)
            program->scope_of[scope->nics[j]] = scope;
        i += length;
    }
    if (!error)
        error = program_special_add_vnet(&domain->special, &plain, &domain->shared, first,
                                         (uint32_t)domain->scope_count - first);
    fabric_view_close(&plain);
    return error;
}

/* From which VNet next hops are seen for the base: the first that is not the route server's own, as spokes are many
 * and mostly see alike. */
static uint32_t point_of_view(const struct fabric *fabric, const struct placed *nics, size_t n)
{
    uint32_t server = nics[0].route_server;
    for (size_t i = 0; server != FABRIC_NONE && i < n; i++)
        if (nics[i].vnet != fabric->route_servers[server].vnet)
            return nics[i].vnet;
    return nics[0].vnet;
}

/* n NICs that follow one route server, or one instance of it. */
static int open_domain(struct program *program, const struct placed *nics, size_t n)
{
    struct program_domain *domain = &program->domains[program->domain_count++];
    domain->route_server = nics[0].route_server;
    domain->groups = program->groups;
    domain->lpm = dp_forwarding_lpm(program->forwarding);
    domain->bgp = program->bgp;
    domain->scopes = calloc(n, sizeof(*domain->scopes));
    if (!domain->scopes)
        return -ENOMEM;
    int error =
        fabric_view_open_shared(&domain->shared, program->fabric, domain->route_server,
                                nics[0].scope.instance, point_of_view(program->fabric, nics, n));
    for (size_t i = 0; i < n && !error;) {
        size_t length = run_of_vnet(&nics[i], n - i);
        error = open_vnet(program, domain, &nics[i], length);
        i += length;
    }
    program_special_sort(&domain->special);
    return error ? error : program_domain_open(domain);
}

static size_t count_domains(const struct placed *nics, size_t n)
{
    size_t domains = 0;
    for (size_t i = 0; i < n; i += run_of_domain(&nics[i], n - i))
        domains++;
    return domains;
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
        nics[i] = (struct placed){.route_server = followed_by(fabric, i),
                                  .vnet = fabric->nics[i].vnet,
                                  .nic = i,
                                  .scope = fabric_scope_of(fabric, i)};
    qsort(nics, n, sizeof(*nics), compare_placed);
    program->domains = calloc(count_domains(nics, n) + 1, sizeof(*program->domains));
    error = program->domains ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && !error;) {
        size_t length = run_of_domain(&nics[i], n - i);
        error = open_domain(program, &nics[i], length);
        i += length;
    }
cleanup:
    free(nics);
    return error;
}

void program_scopes_close(struct program *program)
{
    for (size_t i = 0; i < program->domain_count; i++)
        program_domain_close(&program->domains[i]);
    free(program->domains);
    free(program->scope_of);
}

/* --- Questions -------------------------------------------------------------------------------- */

size_t program_domain_scopes(const struct program_domain *domain, uint32_t vnet, size_t *n)
{
    size_t low = 0, high = domain->scope_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (domain->scopes[middle].view.vnet < vnet)
            low = middle + 1;
        else
            high = middle;
    }
    *n = 0;
    while (low + *n < domain->scope_count && domain->scopes[low + *n].view.vnet == vnet)
        ++*n;
    return low;
}
