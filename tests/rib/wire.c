/*
 * UPDATEs as text; see wire.h.
 */
#include "tests/rib/wire.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static unsigned take_prefixes(struct wire *wire, const char *verb, struct bgp_nlri nlri)
{
    size_t at = strlen(wire->text);
    struct lpm_prefix prefix;
    char name[LPM_PREFIX_TEXT];
    unsigned n = 0;

    for (; bgp_nlri_next(&nlri, &prefix); n++)
        at += (size_t)snprintf(wire->text + (at < WORLD_TEXT ? at : WORLD_TEXT),
                               at < WORLD_TEXT ? WORLD_TEXT - at : 0, "%s %s", n == 0 ? verb : "",
                               lpm_prefix_format(&prefix, name));
    if (n > 0)
        snprintf(wire->text + (at < WORLD_TEXT ? at : WORLD_TEXT),
                 at < WORLD_TEXT ? WORLD_TEXT - at : 0, ";");
    return n;
}

static void take_update(struct wire *wire, const uint8_t *bytes, size_t length)
{
    const struct bgp_update_context context = {.four_octet_as = true, .families = BGP_FAMILIES_ALL};
    struct bgp_update update;
    size_t at = strlen(wire->text);
    unsigned n;

    if (bgp_update_decode(wire->reader, &context, bytes, length, &update) != BGP_UPDATE_FINE) {
        snprintf(wire->text + at, WORLD_TEXT - at, "malformed;");
        return;
    }
    if (update.end_of_rib) {
        wire->ends++;
        snprintf(wire->text + at, WORLD_TEXT - at, "end %s;",
                 bgp_family_info(update.end_of_rib_family)->name);
        return;
    }
    n = take_prefixes(wire, "withdraw", update.withdrawn);
    n += take_prefixes(wire, "withdraw", update.mp_withdrawn);
    wire->withdrawals += n > 0;
    n = take_prefixes(wire, "announce", update.announced);
    n += take_prefixes(wire, "announce", update.mp_announced);
    wire->announcements += n > 0;
    wire->announced += n;
}

void wire_observe(void *context, const struct end *from, const uint8_t *bytes, size_t n)
{
    struct wire *wire = context;

    if (from != wire->from)
        return;
    assert(wire->n_held + n <= sizeof(wire->held));
    memcpy(wire->held + wire->n_held, bytes, n);
    wire->n_held += n;
    while (wire->n_held >= BGP_HEADER_SIZE) {
        size_t length = (size_t)(wire->held[16] << 8 | wire->held[17]);

        if (wire->n_held < length)
            break;
        if (wire->held[18] == BGP_UPDATE)
            take_update(wire, wire->held, length);
        wire->n_held -= length;
        memmove(wire->held, wire->held + length, wire->n_held);
    }
}

void wire_tap(struct wire *wire, struct world *world, const struct end *from)
{
    memset(wire, 0, sizeof(*wire));
    wire->from = from;
    wire->reader = bgp_update_reader_create();
    assert(wire->reader != NULL);
    world->observe = wire_observe;
    world->observe_context = wire;
}

void wire_free(struct wire *wire)
{
    bgp_update_reader_destroy(wire->reader);
}
