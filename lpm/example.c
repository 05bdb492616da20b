/*
 * A small example of the library: one Internet-like base, two customers that differ from it.
 *
 * Build it against the installed library:
 *     cc example.c $(pkg-config --cflags --libs fingerpost-lpm)
 */
#include <lpm/lpm.h>
#include <lpm/rcu.h>

#include <stdio.h>
#include <stdlib.h>

static struct lpm_prefix prefix(const char *text)
{
    struct lpm_prefix parsed;

    if (lpm_prefix_parse(text, &parsed) < 0) {
        fprintf(stderr, "%s is not a prefix\n", text);
        exit(2);
    }
    return parsed;
}

/* A reader thread does this many times over; between two bursts it calls lpm_rcu_quiescent(). */
static void show(const char *name, const struct lpm_fib *fib, const char *text)
{
    struct lpm_address address;
    struct lpm_route route;
    char row[LPM_PREFIX_TEXT];

    if (lpm_address_parse(text, &address) < 0)
        exit(2);
    if (lpm_explain(fib, &address, &route))
        printf("%-10s %-12s -> leaf %u, by %s\n", name, text, lpm_lookup(fib, &address),
               lpm_prefix_format(&route.prefix, row));
    else
        printf("%-10s %-12s -> no route\n", name, text);
}

int main(void)
{
    struct lpm_route routes[] = {
        {prefix("0.0.0.0/0"), 1},
        {prefix("10.0.0.0/8"), 2},
        {prefix("10.1.0.0/16"), 3},
    };
    struct lpm_change private_routes[] = {
        {LPM_SET, prefix("10.1.7.0/24"), 40},
        {LPM_REMOVE, prefix("0.0.0.0/0"), 0},
    };
    struct lpm_change moved = {LPM_SET, prefix("10.1.0.0/16"), 5};
    struct lpm_fib *base = NULL, *customer = NULL, *plain = NULL;
    struct lpm *lpm = lpm_create();
    struct lpm_fib_bytes bytes;
    int status = 1;

    if (!lpm)
        return 1;
    lpm_rcu_register_thread(); /* this thread reads as well as writes */
    if (lpm_base_create(lpm, LPM_IPV4, routes, 3, &base) < 0 ||
        lpm_derive(base, private_routes, 2, &customer) < 0 || lpm_derive(base, NULL, 0, &plain) < 0)
        goto cleanup;
    show("base", base, "10.1.7.9");
    show("customer", customer, "10.1.7.9");
    show("customer", customer, "192.0.2.1");
    show("plain", plain, "192.0.2.1");

    /* One change of the base is a change of every FIB that is derived from it. */
    if (lpm_update(base, &moved, 1) < 0)
        goto cleanup;
    show("base", base, "10.1.0.1");
    show("customer", customer, "10.1.0.1");
    show("customer", customer, "10.1.7.9");

    lpm_fib_bytes(customer, &bytes);
    printf("the customer's FIB costs %zu + %zu bytes beyond the base\n", bytes.lookup,
           bytes.writer);
    status = 0;

cleanup:
    lpm_release(plain);
    lpm_release(customer);
    lpm_release(base);
    lpm_rcu_unregister_thread();
    lpm_destroy(lpm);
    return status;
}
