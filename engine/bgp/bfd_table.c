/*
 *   entries[i]     in the order of adding; discriminator = random << 16 | i, so that it finds its
 *                  entry by itself and a guess is wrong 65,535 times in 65,536
 *   by_path[]      the same, sorted by path: for packets that do not know our discriminator yet
 *   heap[]         the same, a binary heap by deadline; entry->at is the place in it
 *
 * Invariant between calls: entry->deadline_us is what its session says, and the heap is in order.
 */
#include "engine/bgp/bfd_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_BITS 16u

struct entry {
    struct bfd_table *table;
    struct bfd_session *session;
    struct bfd_path path;
    uint32_t discriminator;
    void *user;
    uint64_t deadline_us;
    size_t at;
    bool retired; /* stopped for good: the next session of its path takes its place */
};

struct bfd_table {
    struct bfd_table_config config;
    uint64_t random;
    struct entry **entries, **by_path, **heap;
    size_t count;
    uint64_t datagrams[BFD_DISCARDS];
};

/* --- Heap ------------------------------------------------------------------------------------- */

static void place(struct bfd_table *table, size_t at, struct entry *entry)
{
    table->heap[at] = entry;
    entry->at = at;
}

static void sift_up(struct bfd_table *table, struct entry *entry)
{
    size_t at = entry->at;
    while (at > 0 && entry->deadline_us < table->heap[(at - 1) / 2]->deadline_us) {
        place(table, at, table->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(table, at, entry);
}

static void sift_down(struct bfd_table *table, struct entry *entry)
{
    size_t at = entry->at;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < table->count &&
            table->heap[child + 1]->deadline_us < table->heap[child]->deadline_us) {
            child++;
        }
        if (child >= table->count || entry->deadline_us <= table->heap[child]->deadline_us) {
            break;
        }
        place(table, at, table->heap[child]);
        at = child;
    }
    place(table, at, entry);
}

/* The session was given something: its deadline may have moved either way. */
static void touched(struct entry *entry)
{
    entry->deadline_us = bfd_session_deadline(entry->session);
    sift_up(entry->table, entry);
    sift_down(entry->table, entry);
}

/* --- Paths ------------------------------------------------------------------------------------ */

static int compare(const struct bfd_path *a, const struct bfd_path *b)
{
    int order = lpm_address_compare(&a->remote, &b->remote);
    if (order == 0) {
        order = lpm_address_compare(&a->local, &b->local);
    }
    return order ? order : a->multihop - b->multihop;
}

/* The first place that does not stand before path. */
static size_t lower_bound(const struct bfd_table *table, const struct bfd_path *path)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&table->by_path[middle]->path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct entry *find_path(const struct bfd_table *table, const struct bfd_path *path)
{
    size_t at = lower_bound(table, path);
    return at < table->count && compare(&table->by_path[at]->path, path) == 0 ? table->by_path[at]
                                                                              : NULL;
}

/* Section 6.8.6 demultiplexes by discriminator alone; the addresses are compared too, so that a
 * host elsewhere that learned one cannot speak for the peer (RFC 5883 section 6). */
static struct entry *find(const struct bfd_table *table, const struct bfd_path *path,
                          uint32_t discriminator)
{
    if (discriminator == 0) {
        return find_path(table, path);
    }
    uint32_t index = discriminator & (BFD_TABLE_MAX - 1);
    struct entry *entry = index < table->count ? table->entries[index] : NULL;
    return entry != NULL && entry->discriminator == discriminator &&
                   compare(&entry->path, path) == 0
               ? entry
               : NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

struct bfd_table *bfd_table_create(const struct bfd_table_config *config)
{
    struct bfd_table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->config = *config;
        table->random = config->seed;
    }
    return table;
}

void bfd_table_destroy(struct bfd_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        bfd_session_destroy(table->entries[i]->session);
        free(table->entries[i]);
    }
    free(table->entries);
    free(table->by_path);
    free(table->heap);
    free(table);
}

static void on_changed(void *context, const struct bfd_change *change)
{
    const struct entry *entry = context;
    const struct bfd_table_config *config = &entry->table->config;
    if (config->changed != NULL) {
        config->changed(config->context, entry->user, change);
    }
}

static int reserve(struct entry ***array, size_t n)
{
    struct entry **grown = realloc(*array, n * sizeof(struct entry *));
    if (grown == NULL) {
        return -ENOMEM;
    }
    *array = grown;
    return 0;
}

/* splitmix64 of the table's seed. */
static uint64_t next_random(struct bfd_table *table)
{
    uint64_t value = table->random += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Not 0, as the random half is not. */
static uint32_t choose_discriminator(struct bfd_table *table)
{
    uint32_t random = (uint32_t)(next_random(table) % UINT16_MAX) + 1;
    return random << INDEX_BITS | (uint32_t)table->count;
}

static void insert(struct bfd_table *table, struct entry *entry)
{
    size_t at = lower_bound(table, &entry->path);
    memmove(table->by_path + at + 1, table->by_path + at,
            (table->count - at) * sizeof(struct entry *));
    table->by_path[at] = entry;
    table->entries[table->count] = entry;
    place(table, table->count++, entry);
    touched(entry);
}

static int make_session(struct entry *entry, uint32_t interval_us, uint8_t multiplier,
                        struct bfd_session **session)
{
    struct bfd_session_config config = {
        .discriminator = entry->discriminator,
        .interval_us = interval_us,
        .multiplier = multiplier,
        .seed = next_random(entry->table),
        .changed = on_changed,
        .context = entry,
    };
    return bfd_session_create(&config, session);
}

/* In place of one that retired: its discriminator stays, its timers and its user do not. */
static int renew(struct entry *entry, uint32_t interval_us, uint8_t multiplier, void *user)
{
    struct bfd_session *session;
    int error = make_session(entry, interval_us, multiplier, &session);
    if (error) {
        return error;
    }
    bfd_session_destroy(entry->session);
    entry->session = session;
    entry->user = user;
    entry->retired = false;
    touched(entry);
    return 0;
}

int bfd_table_add(struct bfd_table *table, const struct bfd_path *path, uint32_t interval_us,
                  uint8_t multiplier, void *user, const struct bfd_session **session)
{
    struct entry *entry = find_path(table, path);
    if (entry != NULL) {
        int error = entry->retired ? renew(entry, interval_us, multiplier, user) : -EEXIST;
        if (!error) {
            *session = entry->session;
        }
        return error;
    }
    if (table->count == BFD_TABLE_MAX) {
        return -ENOSPC;
    }
    size_t n = table->count + 1;
    if (reserve(&table->entries, n) || reserve(&table->by_path, n) || reserve(&table->heap, n)) {
        return -ENOMEM;
    }
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return -ENOMEM;
    }
    *entry = (struct entry){.table = table, .path = *path, .user = user};
    entry->discriminator = choose_discriminator(table);
    int error = make_session(entry, interval_us, multiplier, &entry->session);
    if (error) {
        free(entry);
        return error;
    }
    insert(table, entry);
    *session = entry->session;
    return 0;
}

static struct entry *entry_of(const struct bfd_table *table, const struct bfd_session *session)
{
    return table->entries[bfd_session_discriminator(session) & (BFD_TABLE_MAX - 1)];
}

void bfd_table_start(struct bfd_table *table, const struct bfd_session *session, uint64_t now_us,
                     uint64_t delay_us)
{
    struct entry *entry = entry_of(table, session);
    bfd_session_start(entry->session, now_us, delay_us);
    touched(entry);
}

void bfd_table_stop(struct bfd_table *table, const struct bfd_session *session, uint64_t now_us)
{
    struct entry *entry = entry_of(table, session);
    bfd_session_stop(entry->session, now_us);
    touched(entry);
}

void bfd_table_retire(struct bfd_table *table, const struct bfd_session *session, uint64_t now_us)
{
    entry_of(table, session)->retired = true;
    bfd_table_stop(table, session, now_us);
}

void bfd_table_stop_all(struct bfd_table *table, uint64_t now_us)
{
    for (size_t i = 0; i < table->count; i++) {
        bfd_session_stop(table->entries[i]->session, now_us);
        touched(table->entries[i]);
    }
}

/* --- Datagrams -------------------------------------------------------------------------------- */

static enum bfd_discard take(struct bfd_table *table, const struct bfd_path *path, int ttl,
                             const uint8_t *bytes, size_t n, uint64_t now_us)
{
    struct bfd_packet packet;
    if (!path->multihop && ttl != BFD_TTL) {
        return BFD_BAD_TTL;
    }
    enum bfd_discard discard = bfd_packet_decode(bytes, n, &packet);
    if (discard != BFD_TAKEN) {
        return discard;
    }
    struct entry *entry = find(table, path, packet.your_discriminator);
    if (entry == NULL) {
        return BFD_UNKNOWN_SESSION;
    }
    discard = bfd_session_input(entry->session, &packet, now_us);
    touched(entry);
    return discard;
}

enum bfd_discard bfd_table_input(struct bfd_table *table, const struct bfd_path *path, int ttl,
                                 const uint8_t *bytes, size_t n, uint64_t now_us)
{
    enum bfd_discard discard = take(table, path, ttl, bytes, n, now_us);
    table->datagrams[discard]++;
    return discard;
}

/* Ends: a session that had its turn and gave nothing has a deadline after now. */
bool bfd_table_output(struct bfd_table *table, uint64_t now_us, struct bfd_datagram *datagram)
{
    while (bfd_table_deadline(table) <= now_us) {
        struct entry *entry = table->heap[0];
        struct bfd_packet packet;
        bfd_session_tick(entry->session, now_us);
        bool sends = bfd_session_output(entry->session, now_us, &packet);
        touched(entry);
        if (sends) {
            datagram->user = entry->user;
            datagram->path = &entry->path;
            bfd_packet_encode(&packet, datagram->bytes);
            return true;
        }
    }
    return false;
}

/* --- Questions -------------------------------------------------------------------------------- */

uint64_t bfd_table_deadline(const struct bfd_table *table)
{
    return table->count > 0 ? table->heap[0]->deadline_us : UINT64_MAX;
}

const struct bfd_path *bfd_table_path(const struct bfd_table *table,
                                      const struct bfd_session *session)
{
    return &entry_of(table, session)->path;
}

size_t bfd_table_count(const struct bfd_table *table)
{
    return table->count;
}

uint64_t bfd_table_datagrams(const struct bfd_table *table, enum bfd_discard discard)
{
    return table->datagrams[discard];
}
