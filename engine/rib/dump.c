/* See dump.h. Peers stand in the index as in speaker.peers, so a stored path's peer is its index. */
#include "engine/rib/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/bgp/mrt.h"
#include "engine/rib/internal.h"

struct rib_dump {
    const struct speaker *speaker;
    struct mrt_writer *writer;
    uint32_t seconds, sequence;
    struct lpm_address self[BGP_FAMILY_COUNT]; /* next hop of own routes */
    uint32_t *up_s;                            /* by peer: when its session came up, since 1970 */
    unsigned n_peers; /* with the speaker itself; later ones are not in the index */
    unsigned family;
    uint32_t id; /* the next entry */
};

static struct mrt_peer index_entry(const struct speaker_peer *peer)
{
    return (struct mrt_peer){
        .identifier = bgp_session_negotiated(peer->session)->peer_identifier,
        .address = peer->config.peer_address,
        .asn = peer->config.asn,
    };
}

static uint32_t up_since(const struct rib_dump *dump, const struct speaker_peer *peer,
                         uint64_t now_ms)
{
    uint64_t since_ms = bgp_session_since(peer->session);
    uint64_t age_s = now_ms > since_ms ? (now_ms - since_ms) / 1000u : 0;
    return age_s < dump->seconds ? dump->seconds - (uint32_t)age_s : 0;
}

/* The speaker is known by what its first session calls it. */
static void take_self(struct rib_dump *dump, const struct speaker_peer *peer,
                      struct mrt_peer_index *index)
{
    index->collector = peer->config.identifier;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        dump->self[family] = peer->self[family];
}

/* Writes the index; its place is the first piece. */
static int write_index(struct rib_dump *dump, const char *view, uint64_t now_ms)
{
    const struct speaker *speaker = dump->speaker;
    struct mrt_peer_index index = {.n = dump->n_peers};
    index.peers = calloc(dump->n_peers, sizeof(*index.peers));
    if (index.peers == NULL)
        return -ENOMEM;
    for (unsigned i = 1; i < dump->n_peers; i++) {
        if (speaker->peers[i] == NULL)
            continue;
        index.peers[i] = index_entry(speaker->peers[i]);
        dump->up_s[i] = up_since(dump, speaker->peers[i], now_ms);
        if (index.collector == 0)
            take_self(dump, speaker->peers[i], &index);
    }
    index.peers[0] = (struct mrt_peer){
        .identifier = index.collector, .address = {.family = LPM_IPV4}, .asn = speaker->config.asn};
    dump->up_s[0] = dump->seconds;
    snprintf(index.view, sizeof(index.view), "%s", view);
    mrt_write_peer_index(dump->writer, dump->seconds, &index);
    free(index.peers);
    return 0;
}

struct rib_dump *rib_dump_create(const struct speaker *speaker, const char *view, uint32_t seconds,
                                 uint64_t now_ms)
{
    struct rib_dump *dump = calloc(1, sizeof(*dump));
    if (dump == NULL)
        return NULL;
    dump->speaker = speaker;
    dump->seconds = seconds;
    dump->n_peers = speaker->n_peers;
    dump->writer = mrt_writer_create();
    dump->up_s = calloc(dump->n_peers, sizeof(*dump->up_s));
    if (dump->writer != NULL && dump->up_s != NULL && write_index(dump, view, now_ms) == 0)
        return dump;
    rib_dump_destroy(dump);
    errno = ENOMEM;
    return NULL;
}

void rib_dump_destroy(struct rib_dump *dump)
{
    if (dump == NULL)
        return;
    mrt_writer_destroy(dump->writer);
    free(dump->up_s);
    free(dump);
}

/* Identifiers need a subtype that older tools do not know: only where there are any. */
static bool has_path_id(const struct rib_entry *entry)
{
    for (unsigned i = 0; i < entry->n_paths; i++)
        if (rib_path_id(&rib_entry_paths_const(entry)[i]) != 0)
            return true;
    return false;
}

static void write_entry(struct rib_dump *dump, const struct rib_table *table,
                        const struct rib_entry *entry)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    struct lpm_prefix prefix = rib_entry_prefix(table, entry);
    mrt_write_rib_begin(dump->writer, dump->seconds, dump->sequence, &prefix, has_path_id(entry));
    bool any = false;
    for (unsigned i = 0; i < entry->n_paths; i++) {
        if (paths[i].filter != RIB_CHOSEN || paths[i].peer >= dump->n_peers)
            continue;
        mrt_write_rib_add(dump->writer, paths[i].peer, dump->up_s[paths[i].peer],
                          rib_path_id(&paths[i]), rib_attributes(&paths[i]),
                          &dump->self[dump->family]);
        any = true;
    }
    mrt_write_rib_end(dump->writer);
    dump->sequence += any;
}

int rib_dump_next(struct rib_dump *dump, unsigned prefixes, const uint8_t **bytes, size_t *n)
{
    for (unsigned done = 0; done < prefixes && dump->family < BGP_FAMILY_COUNT; done++) {
        const struct rib_table *table = &dump->speaker->tables[dump->family];
        uint32_t id = rib_table_next(table, dump->id);
        if (id == RIB_NO_ENTRY) {
            dump->family++;
            dump->id = 0;
            continue;
        }
        write_entry(dump, table, rib_table_entry(table, id));
        dump->id = id + 1;
    }
    int error = mrt_writer_take(dump->writer, bytes, n);
    /* A piece of prefixes of which none had a path is no end. */
    if (error == 0 && *n == 0 && dump->family < BGP_FAMILY_COUNT)
        return rib_dump_next(dump, prefixes, bytes, n);
    return error;
}
