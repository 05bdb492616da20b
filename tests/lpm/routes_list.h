/*
 * Lists of routes: what a FIB should show, or how two should differ, held against what they say.
 */
#ifndef TESTS_LPM_ROUTES_LIST_H
#define TESTS_LPM_ROUTES_LIST_H

#include "lpm/lpm.h"

/* In prefix order; whoever has one frees routes. */
struct routes_list {
    struct lpm_route *routes;
    size_t count;
};

/* What lpm_each() visits. */
struct routes_list routes_list_of(const struct lpm_fib *fib);
/* Are each, get and the number of routes of fib those of the list? */
bool routes_list_is_shown(const struct routes_list *list, const struct lpm_fib *fib);
/* Does lpm_diff(a, b) find the differences between the two lists, all of them, in order? */
bool routes_lists_differ_so(const struct routes_list *list_a, const struct lpm_fib *a,
                            const struct routes_list *list_b, const struct lpm_fib *b);

#endif
