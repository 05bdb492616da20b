/*
 * From the items of a selection (selection.c) to UPDATEs.
 */
#include "engine/rib/outbound.h"

#include <stdio.h>
#include <stdlib.h>

static void drop_item(struct speaker_peer *peer, struct rib_item *item)
{
    bgp_attributes_release(peer->speaker->attributes, item->outgoing.attributes);
    item->outgoing.attributes = NULL;
    peer->items_at++;
}

/* A peer that needs nothing holds nothing. */
void rib_selection_drop_items(struct speaker_peer *peer)
{
    while (peer->items_at < peer->n_items)
        drop_item(peer, &peer->items[peer->items_at]);
    free(peer->items);
    peer->items = NULL;
    peer->n_items = peer->items_at = peer->items_capacity = 0;
}

/* Takes the path of an item out of the record: the peer will not have it. */
static void forget_path(struct speaker_peer *peer, const struct rib_item *item)
{
    enum bgp_family family = peer->items_family;
    uint32_t id = rib_table_find(&peer->speaker->tables[family], &item->prefix);
    struct rib_sent *sent;
    unsigned at = 0;

    if (id == RIB_NO_ENTRY || rib_selection_sent(peer, family, id) == NULL)
        return;
    sent = peer->tables[family].sent[id];
    while (at < sent->n && sent->paths[at].path_id != item->path_id)
        at++;
    if (at == sent->n)
        return;
    bgp_attributes_release(peer->speaker->attributes, sent->paths[at].said.attributes);
    sent->paths[at] = sent->paths[--sent->n];
    rib_selection_note_advertised(peer, family, id);
}

/* No message holds these attributes. Should the peer have had the path with others, it must not
 * go on following them: what stays in the items is its withdrawal. */
static void give_up(struct speaker_peer *peer, struct rib_item *item)
{
    const struct speaker_handler *handler = &peer->speaker->config.handler;
    char name[LPM_PREFIX_TEXT], line[160];

    snprintf(line, sizeof(line), "%s is not sent: its attributes are too long for any message",
             lpm_prefix_format(&item->prefix, name));
    if (handler->notice != NULL)
        handler->notice(handler->context, peer, line);
    forget_path(peer, item);
    bgp_attributes_release(peer->speaker->attributes, item->outgoing.attributes);
    item->outgoing.attributes = NULL;
}

/* May the item go in a message of these attributes that was begun for first? */
static bool goes_with(const struct rib_item *first, const struct bgp_attributes *attributes,
                      const struct rib_item *item)
{
    return attributes == item->outgoing.attributes &&
           (attributes == NULL ||
            bgp_export_compare(&first->outgoing.export, &item->outgoing.export) == 0);
}

static bool begin(struct speaker_peer *peer, const struct rib_item *first,
                  struct bgp_update_writer *writer, uint8_t *bytes, size_t capacity)
{
    const struct bgp_encoding *encoding = bgp_session_encoding(peer->session);

    if (first->outgoing.attributes == NULL)
        return bgp_withdraw_begin(writer, encoding, peer->items_family, bytes, capacity);
    return bgp_update_begin(writer, encoding, peer->items_family, first->outgoing.attributes,
                            &first->outgoing.export, bytes, capacity);
}

/* A set may go while items of it are written; its address still says which items are alike. */
size_t rib_selection_write(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    const struct bgp_attributes *attributes;
    struct bgp_update_writer writer;
    struct rib_item *first, *item;

    if (peer->items_at == peer->n_items) {
        rib_selection_drop_items(peer);
        return 0;
    }
    first = item = &peer->items[peer->items_at];
    if (!begin(peer, first, &writer, bytes, capacity)) {
        give_up(peer, first);
        if (!begin(peer, first, &writer, bytes, capacity))
            return 0;
    }
    attributes = first->outgoing.attributes;
    for (; peer->items_at < peer->n_items && goes_with(first, attributes, item) &&
           bgp_update_add_path(&writer, &item->prefix, item->path_id);
         item++) {
        first = item;
        drop_item(peer, item);
    }
    return bgp_update_end(&writer);
}
