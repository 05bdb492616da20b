/*
 * The flush: from prefixes that changed to batches for each domain.
 *
 *   pending ──> a slice of the oldest ──────────────────────────> batches ──> FIBs
 *   stale ──> sweep: every prefix of every domain, a slice a flush ──^
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/program/internal.h"

/* What one flush does at most: leaves looked at, in all FIBs together, and changed prefixes, so that few FIBs
 * do not make for long queues of other work. A millisecond or two as a rule; several where a FIB takes
 * nearly every prefix for an override, and that is the control loop's longest slice. */
#define FLUSH_LEAVES   2048u
#define FLUSH_PREFIXES 512u

/* --- Prefixes of a domain --------------------------------------------------------------------- */

/* Prefixes that belong together, sorted and without duplicates when they are applied. */
struct prefixes {
    struct lpm_prefix *items;
    size_t n, capacity;
    size_t sorted; /* how many there were when they were sorted last */
    int error;
};

struct program_sweep {
    struct prefixes *lists; /* of the domains; those before `domain` are done */
    size_t domain, at;      /* at which prefix of its list */
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

/* --- Everything ------------------------------------------------------------------------------- */

void program_sweep_end(struct program *program)
{
    struct program_sweep *sweep = program->sweep;
    if (!sweep)
        return;
    for (size_t i = 0; sweep->lists && i < program->domain_count; i++)
        free(sweep->lists[i].items);
    free(sweep->lists);
    free(sweep);
    program->sweep = NULL;
}

/* What changes while it goes on is pending, and comes after. */
static int begin_sweep(struct program *program)
{
    struct program_sweep *sweep = calloc(1, sizeof(*sweep));
    program->sweep = sweep;
    if (sweep)
        sweep->lists = calloc(program->domain_count + 1, sizeof(*sweep->lists));
    int error = sweep && sweep->lists ? 0 : -ENOMEM;
    for (size_t i = 0; i < program->domain_count && !error; i++) {
        add_everything(program, &program->domains[i], &sweep->lists[i]);
        error = sweep->lists[i].error;
        if (!error)
            prefixes_sort(&sweep->lists[i]);
    }
    if (error) {
        program_sweep_end(program);
        return error;
    }
    program_pending_free(&program->pending);
    program->stale = false;
    return 0;
}

/* The next prefixes of the sweep, of one domain. */
static int apply_sweep(struct program *program, size_t most)
{
    struct program_sweep *sweep = program->sweep;
    struct prefixes *list = &sweep->lists[sweep->domain];
    size_t left = list->n - sweep->at, n = left < most ? left : most;
    const struct prefixes slice = {.items = list->items + sweep->at, .n = n};
    int changed = n > 0 ? apply(&program->domains[sweep->domain], &slice) : 0;
    if (changed < 0)
        return changed;
    note_leaves(program, n);
    sweep->at += n;
    if (sweep->at < list->n)
        return changed;
    free(list->items);
    list->items = NULL;
    sweep->at = 0;
    if (++sweep->domain >= program->domain_count)
        program_sweep_end(program);
    return changed;
}

/* Goes on, or begins; after a failure everything is looked at again. */
static int sweep(struct program *program, size_t most)
{
    int changed = program->sweep ? 0 : begin_sweep(program);
    if (changed == 0 && program->sweep && program->domain_count > 0)
        changed = apply_sweep(program, most);
    else if (changed == 0)
        program_sweep_end(program);
    if (changed < 0) {
        program_sweep_end(program);
        program->stale = true;
    }
    return changed;
}

/* --- What is pending -------------------------------------------------------------------------- */

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

/* The data plane refuses only NICs that it does not have. Of a program that is made aside they get
 * the FIBs that it has in the end. */
static void set_fibs(void *context, const struct program_scope *scope)
{
    struct program *program = context;
    for (size_t i = 0; i < scope->nic_count && program->in_force; i++) {
        int error =
            dp_nic_set_fibs(program->forwarding, program->ids->nics[scope->nics[i]],
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

static int flush(struct program *program, size_t most)
{
    bool everything = program->stale || program->sweep;
    int changed = everything ? sweep(program, most) : apply_pending(program);
    if (changed < 0)
        return changed;
    program->untidy += (size_t)changed;
    if (!program_flush_due(program) && program->untidy > 0)
        tidy(program);
    return changed;
}

int program_flush(struct program *program)
{
    return flush(program, slice_of(program));
}

int program_flush_all(struct program *program)
{
    int changed = 0;
    while (changed >= 0 && program_flush_due(program))
        changed = flush(program, SIZE_MAX);
    return changed < 0 ? changed : 0;
}

bool program_is_sweeping(const struct program *program)
{
    return program->stale || program->sweep;
}

bool program_flush_due(const struct program *program)
{
    return program->stale || program->sweep || program->pending.count > 0;
}
