/* One effective route by itself. */
#include "engine/fabric/effective.h"

const char *fabric_source_text(enum fabric_source source)
{
    switch (source) {
    case FABRIC_SOURCE_USER:
        return "User";
    case FABRIC_SOURCE_BGP:
        return "VirtualNetworkGateway";
    case FABRIC_SOURCE_DEFAULT:
        break;
    }
    return "Default";
}

bool fabric_row_same(const struct fabric_row *a, const struct fabric_row *b)
{
    if (a->source != b->source || a->active != b->active || a->type != b->type ||
        a->next_hop_count != b->next_hop_count)
        return false;
    for (unsigned i = 0; i < a->next_hop_count; i++)
        if (!lpm_address_equal(&a->next_hops[i], &b->next_hops[i]) ||
            a->weights[i] != b->weights[i])
            return false;
    return true;
}
