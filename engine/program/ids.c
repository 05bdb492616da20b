/* See ids.h. */
#include "engine/program/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORT_CAPACITY 1024u /* as struct dp_attachment has it: ids 0 .. 1023 */

/* One kind of object. */
struct kind {
    uint32_t n;               /* of them now */
    uint32_t first, capacity; /* ids are first .. capacity */
    uint32_t *ids, *limit;
    /* The reading before; kept(): the index there of what has the name of object i, or FABRIC_NONE. */
    const uint32_t *former;
    uint32_t former_count;
    uint32_t (*kept)(const struct fabric *before, const struct fabric *now, uint32_t i);
};

static uint32_t kept_nic(const struct fabric *before, const struct fabric *now, uint32_t i)
{
    return fabric_find_nic(before, now->nics[i].name);
}

static uint32_t kept_vnet(const struct fabric *before, const struct fabric *now, uint32_t i)
{
    return fabric_find_vnet(before, now->vnets[i].name);
}

static uint32_t kept_port(const struct fabric *before, const struct fabric *now, uint32_t i)
{
    for (uint32_t j = 0; j < before->ports_count; j++)
        if (strcmp(before->ports[j].name, now->ports[i].name) == 0)
            return j;
    return FABRIC_NONE;
}

/* The next id that nobody had; else one that neither reading has. */
static uint32_t free_id(const struct kind *kind, const bool *used, uint32_t *at)
{
    if (*kind->limit <= kind->capacity)
        return (*kind->limit)++;
    while (*at <= kind->capacity && used[*at])
        ++*at;
    return *at <= kind->capacity ? (*at)++ : FABRIC_NONE;
}

static int number_kept(const struct kind *kind, const struct fabric *before,
                       const struct fabric *now)
{
    bool *used = calloc((size_t)kind->capacity + 1, sizeof(*used));
    uint32_t at = kind->first;
    int error = used ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < kind->former_count && !error; i++)
        used[kind->former[i]] = true;
    for (uint32_t i = 0; i < kind->n && !error; i++) {
        uint32_t j = kind->kept(before, now, i);
        kind->ids[i] = j == FABRIC_NONE ? free_id(kind, used, &at) : kind->former[j];
        if (kind->ids[i] == FABRIC_NONE)
            error = -ENOSPC;
    }
    free(used);
    return error;
}

static int number(const struct kind *kind, const struct fabric *before, const struct fabric *now)
{
    if (before)
        return number_kept(kind, before, now);
    for (uint32_t i = 0; i < kind->n; i++)
        kind->ids[i] = kind->first + i;
    *kind->limit = kind->first + kind->n;
    return 0;
}

static int number_all(struct program_ids *ids, const struct dp_forwarding *forwarding,
                      const struct program_ids *like)
{
    const struct dp_forwarding_config *config = dp_forwarding_configuration(forwarding);
    const struct fabric *now = ids->fabric, *before = like ? like->fabric : NULL;
    const struct kind kinds[] = {
        {now->nics_count, PROGRAM_FIRST_NIC, config->nic_capacity, ids->nics, &ids->nic_limit,
         like ? like->nics : NULL, like ? before->nics_count : 0, kept_nic},
        {now->vnets_count, PROGRAM_FIRST_VNET, config->vnet_capacity, ids->vnets, &ids->vnet_limit,
         like ? like->vnets : NULL, like ? before->vnets_count : 0, kept_vnet},
        {now->ports_count, 0, PORT_CAPACITY - 1, ids->ports, &ids->port_limit,
         like ? like->ports : NULL, like ? before->ports_count : 0, kept_port},
    };
    int error = 0;
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !error; i++)
        error = number(&kinds[i], before, now);
    return error;
}

static int make_reverse(struct program_ids *ids)
{
    ids->nic_of = malloc((size_t)ids->nic_limit * sizeof(*ids->nic_of));
    if (!ids->nic_of)
        return -ENOMEM;
    for (uint32_t i = 0; i < ids->nic_limit; i++)
        ids->nic_of[i] = FABRIC_NONE;
    for (uint32_t i = 0; i < ids->fabric->nics_count; i++)
        ids->nic_of[ids->nics[i] - PROGRAM_FIRST_NIC] = i;
    return 0;
}

int program_ids_open(struct program_ids **opened, const struct fabric *fabric,
                     const struct dp_forwarding *forwarding, const struct program_ids *like)
{
    struct program_ids *ids = calloc(1, sizeof(*ids));
    if (!ids)
        return -ENOMEM;
    ids->fabric = fabric;
    ids->nics = calloc((size_t)fabric->nics_count + 1, sizeof(*ids->nics));
    ids->vnets = calloc((size_t)fabric->vnets_count + 1, sizeof(*ids->vnets));
    ids->ports = calloc((size_t)fabric->ports_count + 1, sizeof(*ids->ports));
    if (like) {
        ids->nic_limit = like->nic_limit;
        ids->vnet_limit = like->vnet_limit;
        ids->port_limit = like->port_limit;
    }
    int error = ids->nics && ids->vnets && ids->ports ? 0 : -ENOMEM;
    if (!error)
        error = number_all(ids, forwarding, like);
    if (!error)
        error = make_reverse(ids);
    if (error)
        program_ids_close(ids);
    else
        *opened = ids;
    return error;
}

void program_ids_close(struct program_ids *ids)
{
    if (!ids)
        return;
    free(ids->nics);
    free(ids->vnets);
    free(ids->ports);
    free(ids->nic_of);
    free(ids);
}

uint32_t program_ids_nic_of(const struct program_ids *ids, uint32_t id)
{
    if (id < PROGRAM_FIRST_NIC || id >= ids->nic_limit)
        return FABRIC_NONE;
    return ids->nic_of[id - PROGRAM_FIRST_NIC];
}

uint32_t program_ids_vnet_of(const struct program_ids *ids, uint32_t id)
{
    for (uint32_t i = 0; i < ids->fabric->vnets_count; i++)
        if (ids->vnets[i] == id)
            return i;
    return FABRIC_NONE;
}
