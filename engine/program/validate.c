/*
 * The programmed state against one made from scratch. It asks the fabric for all rows by way of
 * fabric_rows(), which shares no state with the program step, and walks every FIB along them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/program/internal.h"

/* A FIB is walked in the order of prefixes, as the rows are. */
struct walk {
    const struct program *program;
    uint32_t vnet;
    const char *name; /* of a NIC of the scope */
    const struct fabric_row *rows;
    size_t n, next;
    uint8_t family;
    char *error;
};

static int complain(const struct walk *walk, const struct lpm_prefix *prefix, const char *what)
{
    char text[LPM_PREFIX_TEXT];
    snprintf(walk->error, DP_ERROR_TEXT, "%s: %s %s", walk->name, lpm_prefix_format(prefix, text),
             what);
    return 1;
}

/* The next Active row of the family, or NULL. */
static const struct fabric_row *next_row(struct walk *walk)
{
    while (walk->next < walk->n &&
           (!walk->rows[walk->next].active || walk->rows[walk->next].prefix.family != walk->family))
        walk->next++;
    return walk->next < walk->n ? &walk->rows[walk->next++] : NULL;
}

static int check_route(void *context, const struct lpm_route *route)
{
    struct walk *walk = context;
    const struct fabric_row *row = next_row(walk);
    if (!row || lpm_prefix_compare(&route->prefix, &row->prefix) < 0)
        return complain(walk, &route->prefix, "is in the FIB but not among the rows");
    if (!lpm_prefix_equal(&route->prefix, &row->prefix))
        return complain(walk, &row->prefix, "is an Active row but not in the FIB");
    if (!program_groups_matches(walk->program->groups, walk->vnet, row, route->leaf))
        return complain(walk, &row->prefix, "has a group that is not that of its row");
    return 0;
}

static bool check_fib(struct walk *walk, const struct lpm_fib *fib)
{
    walk->next = 0;
    walk->family = (uint8_t)lpm_fib_family(fib);
    if (lpm_each(fib, check_route, walk) != 0)
        return false;
    const struct fabric_row *row = next_row(walk);
    if (row)
        complain(walk, &row->prefix, "is an Active row but not in the FIB");
    return row == NULL;
}

static bool check_scope(const struct program *program, const struct program_scope *scope,
                        char error[DP_ERROR_TEXT])
{
    struct fabric_row *rows;
    struct walk walk = {.program = program,
                        .vnet = scope->view.vnet,
                        .name = program->fabric->nics[scope->nics[0]].name,
                        .error = error};
    snprintf(error, DP_ERROR_TEXT, "no memory for the rows of %s", walk.name);
    if (fabric_rows(program->fabric, program->bgp, &scope->scope, &rows, &walk.n) != 0)
        return false;
    walk.rows = rows;
    bool good = check_fib(&walk, scope->tables[PROGRAM_IPV4].fib) &&
                check_fib(&walk, scope->tables[PROGRAM_IPV6].fib);
    free(rows);
    return good;
}

static bool check_base(const struct program *program, const struct program_domain *domain,
                       char error[DP_ERROR_TEXT])
{
    struct fabric_row *rows;
    struct walk walk = {.program = program,
                        .vnet = domain->shared.vnet,
                        .name = "the routes in common",
                        .error = error};
    snprintf(error, DP_ERROR_TEXT, "no memory for the rows of %s", walk.name);
    if (fabric_view_rows(&domain->shared, program->bgp, &rows, &walk.n) != 0)
        return false;
    walk.rows = rows;
    bool good = check_fib(&walk, domain->bases[PROGRAM_IPV4]) &&
                check_fib(&walk, domain->bases[PROGRAM_IPV6]);
    free(rows);
    return good;
}

/* Is every group referred to exactly as often as FIBs hold it? Counting anew is harmless when it
 * is. */
static bool check_references(struct program *program, char error[DP_ERROR_TEXT])
{
    uint32_t capacity = program_groups_id_limit(program->groups);
    uint32_t *before = calloc(capacity + 1, sizeof(*before));
    bool good = before != NULL;
    snprintf(error, DP_ERROR_TEXT, "no memory to count references");
    for (uint32_t id = 0; id < capacity && good; id++)
        before[id] = program_groups_references(program->groups, id);
    if (good)
        program_groups_recount_begin(program->groups);
    for (size_t i = 0; i < program->domain_count && good; i++)
        program_domain_count_references(&program->domains[i]);
    for (uint32_t id = 0; id < capacity && good; id++) {
        uint32_t counted = program_groups_references(program->groups, id);
        good = counted == before[id];
        if (!good)
            snprintf(error, DP_ERROR_TEXT, "group %u has %u references, FIBs hold it %u times", id,
                     before[id], counted);
    }
    free(before);
    return good;
}

bool program_validate(struct program *program, char error[DP_ERROR_TEXT])
{
    for (uint32_t i = 0; i < program->fabric->load_balancers_count; i++)
        if (!program_balancers_match(program->balancers, i)) {
            snprintf(error, DP_ERROR_TEXT,
                     "load balancer %s: its group is not that of its backends",
                     program->fabric->load_balancers[i].name);
            return false;
        }
    for (size_t i = 0; i < program->domain_count; i++) {
        const struct program_domain *domain = &program->domains[i];
        if (!check_base(program, domain, error))
            return false;
        for (size_t j = 0; j < domain->scope_count; j++)
            if (!check_scope(program, &domain->scopes[j], error))
                return false;
    }
    return check_references(program, error);
}
