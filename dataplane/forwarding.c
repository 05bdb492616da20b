/*
 * Life of the forwarding state: the arrays by id that everything else hangs on.
 *
 * Arrays are sized once, for the capacities that the engine names, so that a reader indexes them
 * without asking whether they moved. What is in them is the business of nic.c, vnet.c, group.c,
 * attachment.c, underlay.c and next_hop.c. Ids that are not set lead to NULL; the two "absent" records let
 * the decision go on without a branch for it.
 */
#include "dataplane/hash.h"
#include "dataplane/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

void *dp_pages_get(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

void dp_pages_put(void *pages, size_t size)
{
    if (pages)
        munmap(pages, size);
}

bool dp_prefix_valid(const struct lpm_prefix *prefix)
{
    struct lpm_prefix masked = *prefix;

    if (!dp_family_valid(prefix->family))
        return false;
    if (prefix->length > (prefix->family == LPM_IPV4 ? 32 : 128))
        return false;
    lpm_prefix_mask(&masked);
    return lpm_prefix_equal(&masked, prefix);
}

static bool config_valid(const struct dp_forwarding_config *config)
{
    if (config->workers == 0)
        return false;
    /* NIC ids are leaves of the address maps, group ids of the FIBs. */
    if (config->nic_capacity == 0 || config->nic_capacity > LPM_LEAF_MAX)
        return false;
    if (config->vnet_capacity == 0 || config->vnet_capacity > LPM_LEAF_MAX)
        return false;
    if (config->group_capacity == 0 || config->group_capacity > LPM_LEAF_MAX)
        return false;
    /* Both kinds of ids are leaves of the address maps. */
    if (config->nic_capacity > LPM_LEAF_MAX - config->group_capacity)
        return false;
    const unsigned fields = config->hash_fields & ~DP_HASH_INNER;

    return fields == 5 || fields == 3 || fields == 2 || fields == DP_HASH_FLOW_LABEL;
}

static struct dp_vnet *vnet_absent(const struct dp_forwarding *forwarding)
{
    struct dp_vnet *vnet = calloc(1, sizeof(*vnet));

    if (!vnet)
        return NULL;
    atomic_init(&vnet->map4, forwarding->empty4);
    atomic_init(&vnet->map6, forwarding->empty6);
    return vnet;
}

static int arrays_create(struct dp_forwarding *forwarding)
{
    const struct dp_forwarding_config *config = &forwarding->config;

    forwarding->nics = calloc(config->nic_capacity + 1, sizeof(*forwarding->nics));
    forwarding->vnets = calloc(config->vnet_capacity + 1, sizeof(*forwarding->vnets));
    forwarding->groups = calloc(config->group_capacity + 1, sizeof(*forwarding->groups));
    forwarding->writer = calloc(1, sizeof(*forwarding->writer));
    if (!forwarding->nics || !forwarding->vnets || !forwarding->groups || !forwarding->writer)
        return -ENOMEM;
    forwarding->writer->free_groups = calloc(config->group_capacity, sizeof(uint32_t));
    return forwarding->writer->free_groups ? dp_members_create(forwarding) : -ENOMEM;
}

/* Undoes whatever part of dp_forwarding_create() was done. */
static void forwarding_free(struct dp_forwarding *forwarding)
{
    dp_workers_destroy(forwarding);
    if (forwarding->writer) {
        dp_members_destroy(forwarding);
        free(forwarding->writer->free_groups);
    }
    free(forwarding->writer);
    free(forwarding->groups);
    free(forwarding->vnets);
    free(forwarding->nics);
    free(forwarding->absent_vnet);
    free(forwarding->absent_nic);
    lpm_release(forwarding->empty6);
    lpm_release(forwarding->empty4);
    free(forwarding);
}

struct dp_forwarding *dp_forwarding_create(const struct dp_forwarding_config *config,
                                           struct lpm *lpm)
{
    struct dp_forwarding *forwarding;
    int error = -ENOMEM;

    if (!config_valid(config)) {
        errno = EINVAL;
        return NULL;
    }
    forwarding = calloc(1, sizeof(*forwarding));
    if (!forwarding)
        return NULL;
    forwarding->config = *config;
    forwarding->lpm = lpm;
    error = lpm_base_create(lpm, LPM_IPV4, NULL, 0, &forwarding->empty4);
    if (error < 0)
        goto fail;
    error = lpm_base_create(lpm, LPM_IPV6, NULL, 0, &forwarding->empty6);
    if (error < 0)
        goto fail;
    error = arrays_create(forwarding);
    if (error < 0)
        goto fail;
    error = dp_workers_create(forwarding);
    if (error < 0)
        goto fail;
    forwarding->absent_nic = dp_nic_absent(forwarding);
    forwarding->absent_vnet = vnet_absent(forwarding);
    if (forwarding->absent_nic && forwarding->absent_vnet)
        return forwarding;
    error = -ENOMEM;
fail:
    forwarding_free(forwarding);
    errno = -error;
    return NULL;
}

/* The barrier first: what was deferred still refers to tables and ids of this state. */
void dp_forwarding_destroy(struct dp_forwarding *forwarding)
{
    if (!forwarding)
        return;
    lpm_rcu_barrier();
    dp_attachments_destroy(forwarding);
    dp_underlays_destroy(forwarding);
    dp_nics_destroy(forwarding);
    dp_groups_destroy(forwarding);
    dp_vnets_destroy(forwarding);
    dp_next_hops_destroy(forwarding);
    forwarding_free(forwarding);
}

struct lpm *dp_forwarding_lpm(const struct dp_forwarding *forwarding)
{
    return forwarding->lpm;
}

const struct dp_forwarding_config *
dp_forwarding_configuration(const struct dp_forwarding *forwarding)
{
    return &forwarding->config;
}
