/*
 * Life of the program step, and the flush: from prefixes that changed to batches for each domain.
 */
#include "engine/program/program.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/internal.h"
#include "engine/program/resolve.h"

/* Ids cost a pointer each. A group is a distinct set of next hops as one VNet sees it; two per VNet
 * (itself, and itself over a peering), and room for sets that follow from many peers. */
#define GROUP_CAPACITY_BASE 65536u

struct dp_forwarding_config program_forwarding_config(const struct fabric *fabric, unsigned workers)
{
    return (struct dp_forwarding_config){
        .workers = workers ? workers : 1,
        .nic_capacity = fabric->nics_count + PROGRAM_FIRST_NIC,
        .vnet_capacity = fabric->vnets_count + PROGRAM_FIRST_VNET,
        .group_capacity = GROUP_CAPACITY_BASE + 4 * fabric->vnets_count,
        .decrement_ttl = !fabric->quirks.transparent_ttl,
        .hash_fields = fabric->ecmp.hash_fields ? fabric->ecmp.hash_fields : 5,
    };
}

/* --- Prefixes of a domain --------------------------------------------------------------------- */

/* Prefixes that belong together, sorted and without duplicates when they are applied. */
struct prefixes {
    struct lpm_prefix *items;
    size_t n, capacity;
    size_t sorted; /* how many there were when they were sorted last */
    int error;
};

#define PREFIXES_UNSORTED 65536u

static void prefixes_add(void *context, const struct lpm_prefix *prefix)
{
    struct prefixes *prefixes = context;
    if (prefixes->n == prefixes->capacity) {
        size_t capacity = prefixes->capacity ? 2 * prefixes->capacity : 256;
        void *grown = realloc(prefixes->items, capacity * sizeof(*prefixes->items));
        if (!grown) {
            prefixes->error = -ENOMEM;
            return;
        }
        prefixes->items = grown;
        prefixes->capacity = capacity;
    }
    prefixes->items[prefixes->n++] = *prefix;
}

static int compare(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static void prefixes_sort(struct prefixes *prefixes)
{
    size_t kept = 0;
    if (prefixes->n > 0)
        qsort(prefixes->items, prefixes->n, sizeof(*prefixes->items), compare);
    for (size_t i = 0; i < prefixes->n; i++)
        if (i == 0 || !lpm_prefix_equal(&prefixes->items[i], &prefixes->items[kept - 1]))
            prefixes->items[kept++] = prefixes->items[i];
    prefixes->n = prefixes->sorted = kept;
}

static int add_chosen(void *context, const struct lpm_prefix *prefix,
                      const struct rib_choice *choice)
{
    (void)choice;
    prefixes_add(context, prefix);
    return 0;
}

static void add_view(struct prefixes *prefixes, const struct fabric_view *view)
{
    for (size_t i = 0; i < view->system_count; i++)
        prefixes_add(prefixes, &view->system[i].prefix);
    for (uint32_t i = 0; view->table && i < view->table->route_count; i++)
        prefixes_add(prefixes, &view->table->routes[i].prefix);
}

/* Every prefix at which some FIB of the domain has, or should have, a route. */
static void add_everything(const struct program *program, const struct program_domain *domain,
                           struct prefixes *prefixes)
{
    add_view(prefixes, &domain->shared);
    for (size_t i = 0; i < domain->scope_count; i++) {
        add_view(prefixes, &domain->scopes[i].view);
        /* The views of neighbours are mostly alike. */
        if (prefixes->n > prefixes->sorted + PREFIXES_UNSORTED)
            prefixes_sort(prefixes);
    }
    if (domain->route_server != FABRIC_NONE)
        program->bgp->each(program->bgp->context, domain->route_server, add_chosen, prefixes);
    program_domain_each(domain, prefixes_add, prefixes);
}

/* --- Flush ------------------------------------------------------------------------------------ */

/* How many of the first prefixes make one batch: one family, and not too many. */
static size_t batch_length(const struct prefixes *prefixes, size_t from)
{
    size_t n = 1;
    while (from + n < prefixes->n && n < PROGRAM_BATCH &&
           prefixes->items[from + n].family == prefixes->items[from].family)
        n++;
    return n;
}

/* Returns how many entries changed, or -errno. */
static int apply(struct program_domain *domain, const struct prefixes *prefixes)
{
    int total = 0;
    for (size_t i = 0; i < prefixes->n;) {
        size_t n = batch_length(prefixes, i);
        int changed = program_domain_apply(domain, &prefixes->items[i], n);
        if (changed < 0)
            return changed;
        total += changed;
        i += n;
    }
    return total;
}

static int apply_everything(struct program *program)
{
    int total = 0;
    for (size_t i = 0; i < program->domain_count && total >= 0; i++) {
        struct prefixes prefixes = {0};
        add_everything(program, &program->domains[i], &prefixes);
        prefixes_sort(&prefixes);
        int changed = prefixes.error ? prefixes.error : apply(&program->domains[i], &prefixes);
        total = changed < 0 ? changed : total + changed;
        free(prefixes.items);
    }
    return total;
}

/* n changes of one route server. */
static int apply_server(struct program *program, const struct program_pending_item *items, size_t n)
{
    struct prefixes prefixes = {0};
    int total = 0;
    for (size_t i = 0; i < n; i++)
        fabric_dependents(program->fabric, &items[i].prefix, prefixes_add, &prefixes);
    prefixes_sort(&prefixes);
    if (prefixes.error)
        total = prefixes.error;
    for (size_t i = 0; i < program->domain_count && total >= 0; i++) {
        if (program->domains[i].route_server != items[0].route_server)
            continue;
        int changed = apply(&program->domains[i], &prefixes);
        total = changed < 0 ? changed : total + changed;
    }
    free(prefixes.items);
    return total;
}

static int apply_pending(struct program *program)
{
    const struct program_pending *pending = &program->pending;
    int total = 0;
    program_pending_sort(&program->pending);
    for (size_t i = 0; i < pending->n && total >= 0;) {
        size_t n = 1;
        while (i + n < pending->n &&
               pending->items[i + n].route_server == pending->items[i].route_server)
            n++;
        int changed = apply_server(program, &pending->items[i], n);
        total = changed < 0 ? changed : total + changed;
        i += n;
    }
    return total;
}

/* After a failure references may have been counted twice; with everything applied, the FIBs say
 * what they are. */
static void recover(struct program *program)
{
    bool needed = false;
    for (size_t i = 0; i < program->domain_count; i++)
        needed |= program->domains[i].recovering;
    if (!needed)
        return;
    program_groups_recount_begin(program->groups);
    for (size_t i = 0; i < program->domain_count; i++)
        program_domain_count_references(&program->domains[i]);
    program_groups_recount_end(program->groups);
    for (size_t i = 0; i < program->domain_count; i++)
        if (program->domains[i].recovering)
            program_domain_recovered(&program->domains[i]);
}

/* The data plane refuses only NICs that it does not have. */
static void set_fibs(void *context, const struct program_scope *scope)
{
    struct program *program = context;
    for (size_t i = 0; i < scope->nic_count; i++) {
        int error =
            dp_nic_set_fibs(program->forwarding, PROGRAM_FIRST_NIC + scope->nics[i],
                            scope->tables[PROGRAM_IPV4].fib, scope->tables[PROGRAM_IPV6].fib);
        assert(error == 0);
        (void)error;
    }
}

int program_flush(struct program *program)
{
    int changed = program->stale ? apply_everything(program) : apply_pending(program);
    if (changed < 0)
        return changed;
    program->pending.n = 0;
    program->stale = false;
    recover(program);
    for (size_t i = 0; i < program->domain_count && changed > 0; i++)
        program_domain_balance(&program->domains[i], set_fibs, program);
    return changed;
}

int program_prefix_changed(struct program *program, uint32_t route_server,
                           const struct lpm_prefix *prefix)
{
    /* A route server alone, as one that only serves appliances, keeps nothing for a flush. */
    if (!program->followed[route_server])
        return 0;
    if (!program->stale && program_pending_add(&program->pending, route_server, prefix) != 0)
        program->stale = true;
    return 0;
}

int program_next_hop_state(struct program *program, const struct lpm_address *next_hop, bool up)
{
    return program_groups_next_hop(program->groups, next_hop, up);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int note_followed(struct program *program)
{
    program->followed =
        calloc((size_t)program->fabric->route_servers_count + 1, sizeof(*program->followed));
    if (!program->followed)
        return -ENOMEM;
    for (size_t i = 0; i < program->domain_count; i++) {
        uint32_t route_server = program->domains[i].route_server;
        if (route_server != FABRIC_NONE)
            program->followed[route_server] = true;
    }
    return 0;
}

struct program *program_create(const struct fabric *fabric, const struct fabric_bgp *bgp,
                               struct dp_forwarding *forwarding, bool with_ports,
                               char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "no memory to program the NICs of fabric '%s'",
             fabric->name ? fabric->name : "");
    struct program *program = calloc(1, sizeof(*program));
    if (!program)
        return NULL;
    program->fabric = fabric;
    program->bgp = bgp;
    program->forwarding = forwarding;
    program->groups = program_groups_create(fabric, forwarding);
    int failed = program->groups ? program_scopes_open(program) : -ENOMEM;
    if (!failed)
        failed = note_followed(program);
    /* FIBs are filled before NICs have them: no packet meets one half made. */
    program->stale = true;
    if (!failed)
        failed = program_flush(program);
    if (failed >= 0)
        failed = program_nics_set(program, with_ports, error);
    if (failed == 0)
        return program;
    program_destroy(program);
    errno = -failed;
    return NULL;
}

void program_destroy(struct program *program)
{
    if (!program)
        return;
    program_nics_remove(program);
    program_scopes_close(program);
    program_groups_destroy(program->groups);
    program_pending_free(&program->pending);
    free(program->followed);
    free(program);
}

/* --- Questions -------------------------------------------------------------------------------- */

uint32_t program_nic_id(const struct program *program, uint32_t nic)
{
    (void)program;
    return PROGRAM_FIRST_NIC + nic;
}

uint32_t program_nic_of(const struct program *program, uint32_t nic_id)
{
    if (nic_id < PROGRAM_FIRST_NIC || nic_id - PROGRAM_FIRST_NIC >= program->fabric->nics_count)
        return FABRIC_NONE;
    return nic_id - PROGRAM_FIRST_NIC;
}

static void add_fib(struct program_size *size, const struct lpm_fib *fib, bool derived)
{
    size->fibs++;
    size->derived_fibs += derived;
    size->routes += lpm_fib_routes(fib);
}

void program_size(const struct program *program, struct program_size *size)
{
    *size = (struct program_size){.groups = program_groups_count(program->groups)};
    for (size_t i = 0; i < program->domain_count; i++) {
        const struct program_domain *domain = &program->domains[i];
        size->scopes += domain->scope_count;
        for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
            add_fib(size, domain->bases[family], false);
            for (size_t j = 0; j < domain->scope_count; j++) {
                const struct program_table *table = &domain->scopes[j].tables[family];
                add_fib(size, table->fib, table->kind == PROGRAM_DERIVED);
            }
        }
    }
}
