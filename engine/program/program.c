/*
 * Life of the program step, and the flush: from prefixes that changed to batches for each domain.
 */
#include "engine/program/program.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/program/internal.h"
#include "engine/program/resolve.h"

/* Ids cost a pointer each. A group is a distinct set of next hops as one VNet sees it; two per VNet
 * (itself, and itself over a peering), and room for sets that follow from many peers. */
#define GROUP_CAPACITY_BASE 65536u
/* What one flush does at most, near two milliseconds of work: leaves looked at, in all FIBs together, and
 * changed prefixes, so that few FIBs do not make for long queues of other work. */
#define FLUSH_LEAVES   4096u
#define FLUSH_PREFIXES 1024u

struct dp_forwarding_config program_forwarding_config(const struct fabric *fabric, unsigned workers)
{
    return (struct dp_forwarding_config){
        .workers = workers ? workers : 1,
        .nic_capacity = fabric->nics_count + PROGRAM_FIRST_NIC,
        .vnet_capacity = fabric->vnets_count + PROGRAM_FIRST_VNET,
        .group_capacity =
            GROUP_CAPACITY_BASE + 4 * fabric->vnets_count + fabric->load_balancers_count,
        .decrement_ttl = !fabric->quirks.transparent_ttl,
        .silent_drops = fabric->quirks.silent_drops,
        .hash_fields = (fabric->ecmp.hash_fields ? fabric->ecmp.hash_fields : 5) |
                       (fabric->quirks.outer_hash ? 0 : DP_HASH_INNER),
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

/* How many changed prefixes are applied in one flush: fewer where each is looked at in more FIBs, as far as
 * those of the last flush tell. */
static size_t slice_of(const struct program *program)
{
    size_t leaves = program->leaves_a_prefix > 0 ? program->leaves_a_prefix : 1;
    size_t slice = leaves < FLUSH_LEAVES ? FLUSH_LEAVES / leaves : 1;
    return slice < FLUSH_PREFIXES ? slice : FLUSH_PREFIXES;
}

/* A domain knows of its last batch in how many FIBs it looked. */
static void note_leaves(struct program *program, size_t n)
{
    size_t batch = n < PROGRAM_BATCH ? n : PROGRAM_BATCH;
    program->leaves_a_prefix = 1;
    for (size_t i = 0; i < program->domain_count && batch > 0; i++) {
        const struct program_domain *domain = &program->domains[i];
        program->leaves_a_prefix += domain->pick_count / batch;
        program->leaves_a_prefix += domain->alone_count[PROGRAM_IPV4];
        program->leaves_a_prefix += domain->alone_count[PROGRAM_IPV6];
    }
}

static int apply_items(struct program *program, const struct program_pending_item *items,
                       size_t count)
{
    int total = 0;
    for (size_t i = 0; i < count && total >= 0;) {
        size_t n = 1;
        while (i + n < count && items[i + n].route_server == items[i].route_server)
            n++;
        int changed = apply_server(program, &items[i], n);
        total = changed < 0 ? changed : total + changed;
        i += n;
    }
    return total;
}

/* The oldest of what is pending. After a failure it is pending again, behind the rest. */
static int apply_pending(struct program *program)
{
    struct program_pending_item items[FLUSH_PREFIXES];
    size_t n = program_pending_take(&program->pending, items, slice_of(program));
    int changed = apply_items(program, items, n);
    note_leaves(program, n);
    for (size_t i = 0; i < n && changed < 0; i++)
        program_prefix_changed(program, items[i].route_server, &items[i].prefix);
    return changed;
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

/* References can be counted, and the form of FIBs be chosen, when nothing is half done. */
static void tidy(struct program *program)
{
    recover(program);
    for (size_t i = 0; i < program->domain_count; i++)
        program_domain_balance(&program->domains[i], set_fibs, program);
    program->untidy = 0;
}

int program_flush(struct program *program)
{
    bool everything = program->stale;
    int changed = everything ? apply_everything(program) : apply_pending(program);
    if (changed < 0)
        return changed;
    if (everything) {
        program_pending_free(&program->pending);
        program->stale = false;
    }
    program->untidy += (size_t)changed;
    if (program->pending.count == 0 && program->untidy > 0)
        tidy(program);
    return changed;
}

bool program_flush_due(const struct program *program)
{
    return program->stale || program->pending.count > 0;
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

void program_everything_changed(struct program *program)
{
    program->stale = true;
}

int program_next_hop_state(struct program *program, const struct lpm_address *next_hop, bool up)
{
    return program_groups_next_hop(program->groups, next_hop, up);
}

int program_backend_state(struct program *program, uint32_t balancer, uint32_t backend, bool up)
{
    return program_balancers_set(program->balancers, balancer, backend, up);
}

bool program_backend_is_up(const struct program *program, uint32_t balancer, uint32_t backend)
{
    return program_balancers_is_up(program->balancers, balancer, backend);
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

/* What groups are made by. like: whose words about all groups count here too; NULL: nobody's. */
static int open_groups(struct program *program, const struct program *like)
{
    program->said = program_said_create(like ? like->said : NULL);
    if (program->said)
        program->balancers =
            program_balancers_create(program->fabric, program->forwarding, program->said);
    if (program->balancers)
        program->groups = program_groups_create(program->fabric, program->balancers,
                                                program->forwarding, program->said);
    return program->groups ? 0 : -ENOMEM;
}

struct program *program_create_aside(const struct fabric *fabric, const struct fabric_bgp *bgp,
                                     struct dp_forwarding *forwarding, const struct program *like,
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
    int failed = open_groups(program, like);
    if (!failed)
        failed = program_scopes_open(program);
    if (!failed && like)
        failed = program_groups_take_down(program->groups, like->groups);
    if (!failed)
        failed = note_followed(program);
    program->stale = true;
    program->leaves_a_prefix = 16; /* to begin with care */
    if (!failed)
        failed = program_flush(program);
    if (failed >= 0)
        return program;
    program_discard(program);
    errno = -failed;
    return NULL;
}

struct program *program_create(const struct fabric *fabric, const struct fabric_bgp *bgp,
                               struct dp_forwarding *forwarding, bool with_ports,
                               char error[DP_ERROR_TEXT])
{
    /* FIBs are filled before NICs have them: no packet meets one half made. */
    struct program *program = program_create_aside(fabric, bgp, forwarding, NULL, error);
    if (!program)
        return NULL;
    int failed = program_nics_set(program, with_ports, error);
    if (failed == 0)
        return program;
    program_destroy(program);
    errno = -failed;
    return NULL;
}

void program_discard(struct program *program)
{
    if (!program)
        return;
    program_scopes_close(program);
    program_groups_destroy(program->groups);
    program_balancers_destroy(program->balancers);
    program_said_destroy(program->said);
    program_pending_free(&program->pending);
    free(program->followed);
    free(program);
}

void program_destroy(struct program *program)
{
    if (!program)
        return;
    program_nics_remove(program);
    program_discard(program);
}

/* --- Questions -------------------------------------------------------------------------------- */

uint32_t program_underlay_id(void)
{
    return PROGRAM_UNDERLAY_NIC;
}

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
