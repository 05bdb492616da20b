/*
 * What mrt show says of a table's entry and of a message: a JSON object, and the same as a line.
 */
#include "engine/cli/mrt.h"

#include <stdio.h>
#include <stdlib.h>

#define AS_PATH_BYTES 4096

static const char *address_text(const struct lpm_address *address, char text[LPM_ADDRESS_TEXT])
{
    return address->family ? lpm_address_format(address, text) : "";
}

static json_t *communities_of(const struct bgp_attributes *attributes)
{
    json_t *list = json_array();
    for (enum bgp_community_kind kind = BGP_COMMUNITY; kind <= BGP_LARGE_COMMUNITY; kind++)
        for (unsigned i = 0; i < bgp_community_count(attributes, kind); i++) {
            struct bgp_community community = bgp_community_at(attributes, kind, i);
            char text[BGP_COMMUNITY_TEXT];
            json_array_append_new(list, json_string(bgp_community_format(&community, text)));
        }
    return list;
}

static void add_attributes(json_t *row, const struct bgp_attributes *attributes)
{
    char next_hop[LPM_ADDRESS_TEXT], path[AS_PATH_BYTES];
    bgp_as_path_format(attributes, '-', path, sizeof(path));
    json_object_set_new(row, "nextHop", json_string(address_text(&attributes->next_hop, next_hop)));
    json_object_set_new(row, "asPath", json_string(path));
    json_object_set_new(row, "origin", json_string(bgp_origin_text(attributes->origin)));
    if (attributes->flags & BGP_HAS_MED)
        json_object_set_new(row, "med", json_integer(attributes->med));
    if (attributes->flags & BGP_HAS_LOCAL_PREF)
        json_object_set_new(row, "localPref", json_integer(attributes->local_pref));
    json_object_set_new(row, "communities", communities_of(attributes));
}

json_t *mrt_route_row(const struct mrt_peer_index *index, const struct mrt_rib *rib,
                      const struct mrt_rib_entry *entry, const struct bgp_attributes *attributes)
{
    const struct mrt_peer *peer = &index->peers[entry->peer];
    char prefix[LPM_PREFIX_TEXT], address[LPM_ADDRESS_TEXT];
    json_t *row = json_object();
    json_object_set_new(row, "network", json_string(lpm_prefix_format(&rib->prefix, prefix)));
    add_attributes(row, attributes);
    json_object_set_new(row, "sourcePeer", json_string(address_text(&peer->address, address)));
    json_object_set_new(row, "sourceAsn", json_integer(peer->asn));
    json_object_set_new(row, "originated", json_integer(entry->originated_s));
    if (rib->with_path_id)
        json_object_set_new(row, "pathId", json_integer(entry->path_id));
    return row;
}

json_t *mrt_index_row(const struct mrt_peer_index *index)
{
    char text[LPM_ADDRESS_TEXT];
    json_t *row = json_object(), *peers = json_array();
    snprintf(text, sizeof(text), "%u.%u.%u.%u", index->collector >> 24,
             index->collector >> 16 & 255, index->collector >> 8 & 255, index->collector & 255);
    json_object_set_new(row, "collector", json_string(text));
    json_t *view = json_string(index->view);
    json_object_set_new(row, "view", view ? view : json_string("(not UTF-8)"));
    for (unsigned i = 0; i < index->n; i++)
        json_array_append_new(peers, json_pack("{s:i, s:s, s:I}", "index", (int)i, "address",
                                               lpm_address_format(&index->peers[i].address, text),
                                               "asn", (json_int_t)index->peers[i].asn));
    json_object_set_new(row, "peers", peers);
    return row;
}

/* --- Messages --------------------------------------------------------------------------------- */

static void append_prefixes(json_t *list, struct bgp_nlri nlri)
{
    struct lpm_prefix prefix;
    char text[LPM_PREFIX_TEXT];
    while (bgp_nlri_next(&nlri, &prefix))
        json_array_append_new(list, json_string(lpm_prefix_format(&prefix, text)));
}

/* One set stands for both kinds of NLRI but for the next hop, of which the first is shown. */
static void add_update(json_t *row, const struct mrt_message *message,
                       struct bgp_update_reader *reader, struct bgp_attribute_table *table)
{
    const struct bgp_update_context context = {
        .four_octet_as = message->four_octet_as,
        .internal = true, /* LOCAL_PREF is shown, whoever sent it */
        .accept_as_set = true,
        .extended_next_hop = true,
        .families = BGP_FAMILIES_ALL,
        .add_path = message->with_path_id ? BGP_FAMILIES_ALL : 0,
    };
    struct bgp_update update;
    const struct bgp_attributes *attributes = NULL;
    enum bgp_update_outcome outcome =
        bgp_update_decode(reader, &context, message->bytes, message->length, &update);
    if (outcome != BGP_UPDATE_FINE) {
        char text[BGP_ERROR_TEXT];
        json_object_set_new(row, "error", json_string(bgp_error_format(&update.error, text)));
    }
    if (outcome == BGP_UPDATE_RESET)
        return;
    json_t *announced = json_array(), *withdrawn = json_array();
    append_prefixes(withdrawn, update.withdrawn);
    append_prefixes(withdrawn, update.mp_withdrawn);
    bool treated_as_withdrawn = outcome == BGP_UPDATE_WITHDRAW;
    append_prefixes(treated_as_withdrawn ? withdrawn : announced, update.announced);
    append_prefixes(treated_as_withdrawn ? withdrawn : announced, update.mp_announced);
    if (json_array_size(announced) > 0 &&
        bgp_update_attributes(reader, update.announced.at == update.announced.end, table,
                              &attributes) == 0) {
        add_attributes(row, attributes);
        bgp_attributes_release(table, attributes);
    }
    json_object_set_new(row, "announced", announced);
    json_object_set_new(row, "withdrawn", withdrawn);
    if (update.end_of_rib)
        json_object_set_new(row, "endOfRib",
                            json_string(bgp_family_info(update.end_of_rib_family)->name));
}

static void add_states(json_t *row, const struct mrt_message *message)
{
    char text[MRT_STATE_TEXT];
    json_object_set_new(row, "type", json_string("STATE_CHANGE"));
    json_object_set_new(row, "from", json_string(mrt_state_text(message->old_state, text)));
    json_object_set_new(row, "to", json_string(mrt_state_text(message->new_state, text)));
}

json_t *mrt_message_row(const struct mrt_record *record, const struct mrt_message *message,
                        struct bgp_update_reader *reader, struct bgp_attribute_table *table)
{
    char address[LPM_ADDRESS_TEXT];
    json_t *row = json_object();
    json_object_set_new(row, "time", json_real(record->seconds + record->microseconds / 1e6));
    json_object_set_new(row, "peer", json_string(address_text(&message->peer, address)));
    json_object_set_new(row, "peerAsn", json_integer(message->peer_asn));
    if (message->is_state_change) {
        add_states(row, message);
        return row;
    }
    json_object_set_new(row, "type", json_string(bgp_message_type_text(message->type)));
    json_object_set_new(row, "sent", json_boolean(message->sent));
    if (message->type == BGP_UPDATE) {
        add_update(row, message, reader, table);
    } else if (message->type == BGP_NOTIFICATION) {
        struct bgp_error error;
        char text[BGP_ERROR_TEXT];
        bgp_notification_decode(message->bytes, message->length, &error);
        json_object_set_new(row, "error", json_string(bgp_error_format(&error, text)));
    }
    return row;
}

/* --- Lines ------------------------------------------------------------------------------------ */

static const char *field(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text ? text : "";
}

static void print_list(const json_t *row, const char *name)
{
    size_t i;
    json_t *item;
    if (json_array_size(json_object_get(row, name)) > 0)
        printf("  %s", name);
    json_array_foreach(json_object_get(row, name), i, item) printf(" %s", json_string_value(item));
}

static void print_attributes(const json_t *row)
{
    printf("via %s, path %s, %s", field(row, "nextHop"), field(row, "asPath"),
           field(row, "origin"));
    if (json_object_get(row, "med"))
        printf(", MED %lld", (long long)json_integer_value(json_object_get(row, "med")));
    if (json_object_get(row, "localPref"))
        printf(", LOCAL_PREF %lld",
               (long long)json_integer_value(json_object_get(row, "localPref")));
    print_list(row, "communities");
}

void mrt_print_route(const json_t *row)
{
    printf("%s from %s AS %lld ", field(row, "network"), field(row, "sourcePeer"),
           (long long)json_integer_value(json_object_get(row, "sourceAsn")));
    if (json_object_get(row, "pathId"))
        printf("path ID %lld ", (long long)json_integer_value(json_object_get(row, "pathId")));
    print_attributes(row);
    putchar('\n');
}

void mrt_print_message(const json_t *row)
{
    printf("%.6f %s AS %lld %s", json_real_value(json_object_get(row, "time")), field(row, "peer"),
           (long long)json_integer_value(json_object_get(row, "peerAsn")), field(row, "type"));
    if (json_object_get(row, "from"))
        printf(" %s -> %s", field(row, "from"), field(row, "to"));
    if (json_object_get(row, "error")) {
        putchar(' ');
        cli_print(stdout, field(row, "error"));
    }
    if (json_object_get(row, "endOfRib"))
        printf(" End-of-RIB %s", field(row, "endOfRib"));
    print_list(row, "withdrawn");
    print_list(row, "announced");
    if (json_object_get(row, "asPath")) {
        putchar(' ');
        print_attributes(row);
    }
    putchar('\n');
}
