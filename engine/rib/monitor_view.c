/*
 * One table as a collector sees it: what it was told, and what has changed since.
 *
 *   first telling: ids of the table in order, from view.at on     changes: ids of view.changed
 *                               \                                     /
 *                        peek(): is there a route now? was one told?
 *                               |              |              |
 *                           announce        withdraw      nothing: pass on
 *
 * Ids are given out as prefixes arrive, so those of one UPDATE stand side by side and share a message
 * again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/monitor_private.h"

/* One thing to say of a prefix. */
struct item {
    uint32_t id;
    unsigned slot; /* with path identifiers: which path of view.paths[id] */
    uint32_t path_id;
    struct lpm_prefix prefix;
    struct rib_outgoing said; /* attributes: a reference; NULL: a withdrawal */
};

static void fail(const struct monitor_view *view)
{
    view->monitor->failed = true;
}

/* --- Path identifiers ------------------------------------------------------------------------- */

static struct monitor_paths *record_of(const struct monitor_view *view, uint32_t id)
{
    return id < view->n_paths ? view->paths[id] : NULL;
}

static int reserve_records(struct monitor_view *view, uint32_t id)
{
    uint32_t n = view->n_paths > 0 ? view->n_paths : 64;
    struct monitor_paths **paths;

    if (id < view->n_paths)
        return 0;
    while (n <= id)
        n *= 2;
    paths = realloc(view->paths, n * sizeof(*paths)); /* pointers, hence the plain size */
    if (paths == NULL)
        return -ENOMEM;
    memset(paths + view->n_paths, 0, (n - view->n_paths) * sizeof(*paths));
    view->paths = paths;
    view->n_paths = n;
    return 0;
}

/* Makes the path due. */
static int remember(struct monitor_view *view, uint32_t id, uint32_t path_id)
{
    struct monitor_paths *record = record_of(view, id);
    unsigned n = record != NULL ? record->n : 0;

    for (unsigned i = 0; i < n; i++)
        if (record->paths[i].path_id == path_id) {
            record->paths[i].due = true;
            return 0;
        }
    record = realloc(record, sizeof(*record) + (n + 1) * sizeof(record->paths[0]));
    if (record == NULL)
        return -ENOMEM;
    view->paths[id] = record;
    record->n = n + 1;
    record->paths[n].path_id = path_id;
    record->paths[n].due = true;
    record->paths[n].told = false;
    return 0;
}

static int remember_learned(struct monitor_view *view, uint32_t id)
{
    const struct rib_entry *entry = rib_table_entry(monitor_table(view), id);
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    int error = 0;

    for (unsigned i = 0; error == 0 && i < entry->n_paths; i++)
        if (paths[i].peer == view->peer->index && !paths[i].summary)
            error = remember(view, id, paths[i].path_id);
    return error;
}

static int remember_sent(struct monitor_view *view, uint32_t id)
{
    const struct rib_sent *sent = rib_selection_sent(view->peer, view->family, id);
    int error = 0;

    for (unsigned i = 0; error == 0 && sent != NULL && i < sent->n; i++)
        error = remember(view, id, sent->paths[i].path_id);
    return error;
}

static int set_told(struct monitor_view *view, uint32_t id, bool told)
{
    int error;

    if (rib_bitset_test(&view->told, id) == told)
        return 0;
    if (!told) {
        rib_bitset_clear(&view->told, id);
        monitor_let_go(view->monitor, view->family, id);
        return 0;
    }
    error = monitor_hold(view->monitor, view->family, id);
    if (error == 0 && rib_bitset_set(&view->told, id) < 0) {
        monitor_let_go(view->monitor, view->family, id);
        error = -ENOMEM;
    }
    return error;
}

/* Begins with what there is to say of id: each path that is there, and each that was told. */
static int begin_paths(struct monitor_view *view, uint32_t id)
{
    const struct rib_entry *entry = rib_table_entry(monitor_table(view), id);
    struct monitor_paths *record;
    int error = reserve_records(view, id);

    for (unsigned i = 0; error == 0 && record_of(view, id) != NULL && i < view->paths[id]->n; i++)
        view->paths[id]->paths[i].due = true;
    if (error == 0 && entry->flags & RIB_ENTRY_USED)
        error = view->kind == MONITOR_ADJ_RIB_OUT ? remember_sent(view, id)
                                                  : remember_learned(view, id);
    record = record_of(view, id);
    if (error == 0)
        error = set_told(view, id, record != NULL && record->n > 0);
    view->working = error == 0;
    view->id = id;
    return error;
}

static void end_paths(struct monitor_view *view)
{
    struct monitor_paths *record = record_of(view, view->id);

    view->working = false;
    if (record != NULL && record->n > 0)
        return;
    free(record);
    if (view->id < view->n_paths)
        view->paths[view->id] = NULL;
    set_told(view, view->id, false);
}

/* --- One after the other ---------------------------------------------------------------------- */

static uint32_t first_telling_next(const struct monitor_view *view)
{
    if (view->kind == MONITOR_LOC_RIB) {
        uint32_t id = rib_table_next(monitor_table(view), view->at);
        return id == RIB_NO_ENTRY ? RIB_BITSET_END : id;
    }
    if (view->kind == MONITOR_ADJ_RIB_OUT)
        return rib_bitset_next(&view->peer->tables[view->family].advertised, view->at);
    return rib_bitset_next(&view->peer->tables[view->family].learned, view->at);
}

/* RIB_BITSET_END: there is none, or it is End-of-RIB's turn. */
static uint32_t next_id(struct monitor_view *view)
{
    uint32_t id;

    if (view->at != RIB_BITSET_END) {
        id = first_telling_next(view);
        if (id != RIB_BITSET_END)
            return id;
        view->at = RIB_BITSET_END;
        view->end_due = true;
    }
    if (view->end_due || view->changed.count == 0)
        return RIB_BITSET_END;
    id = rib_bitset_next(&view->changed, view->cursor);
    return id != RIB_BITSET_END ? id : rib_bitset_next(&view->changed, 0);
}

/* Nothing is left to say of id but what happens to it from now on. */
static void pass(struct monitor_view *view, uint32_t id)
{
    if (view->at != RIB_BITSET_END) {
        view->at = id + 1;
    } else {
        rib_bitset_clear(&view->changed, id);
        view->cursor = id + 1;
    }
    if (view->monitor->budget > 0)
        view->monitor->budget--;
}

static void fill(const struct monitor_view *view, struct item *item)
{
    const struct rib_table *table = monitor_table(view);

    if (!monitor_look_up(view, item->id, item->path_id, &item->said))
        item->said = (struct rib_outgoing){0};
    if (rib_table_entry(table, item->id)->flags & RIB_ENTRY_USED)
        item->prefix = rib_entry_prefix(table, rib_table_entry(table, item->id));
}

/* What is due of view.id. A path that is not there and was not told is forgotten. */
static bool peek_due(struct monitor_view *view, struct item *item)
{
    struct monitor_paths *record = record_of(view, view->id);

    for (unsigned i = 0; record != NULL && i < record->n;) {
        if (!record->paths[i].due) {
            i++;
            continue;
        }
        *item = (struct item){.id = view->id, .slot = i, .path_id = record->paths[i].path_id};
        fill(view, item);
        if (item->said.attributes != NULL || record->paths[i].told)
            return true;
        record->paths[i] = record->paths[--record->n];
    }
    return false;
}

static bool peek_path(struct monitor_view *view, struct item *item)
{
    while (view->monitor->budget > 0 && !view->monitor->failed) {
        if (!view->working) {
            uint32_t id = next_id(view);

            if (id == RIB_BITSET_END)
                return false;
            pass(view, id);
            if (begin_paths(view, id) < 0)
                fail(view);
            continue;
        }
        if (peek_due(view, item))
            return true;
        end_paths(view);
    }
    return false;
}

/* What is to be said next; false: nothing now. Asked again it answers the same. */
static bool peek(struct monitor_view *view, struct item *item)
{
    if (view->with_path_id)
        return peek_path(view, item);
    while (view->monitor->budget > 0 && !view->monitor->failed) {
        uint32_t id = next_id(view);

        if (id == RIB_BITSET_END)
            return false;
        *item = (struct item){.id = id};
        fill(view, item);
        if (item->said.attributes != NULL || rib_bitset_test(&view->told, id))
            return true;
        pass(view, id);
    }
    return false;
}

/* It was said. A withdrawal may free the entry. */
static void commit(struct monitor_view *view, const struct item *item)
{
    bool announced = item->said.attributes != NULL;

    if (!view->with_path_id) {
        pass(view, item->id);
        if (set_told(view, item->id, announced) < 0)
            fail(view);
        return;
    }
    struct monitor_paths *record = view->paths[item->id];
    record->paths[item->slot].due = false;
    record->paths[item->slot].told = true;
    if (!announced)
        record->paths[item->slot] = record->paths[--record->n];
}

static void drop(struct monitor_view *view, struct item *item)
{
    bgp_attributes_release(view->monitor->speaker->attributes, item->said.attributes);
    item->said.attributes = NULL;
}

/* --- UPDATEs ---------------------------------------------------------------------------------- */

static bool begin_update(struct monitor_view *view, struct item *item,
                         struct bgp_update_writer *writer, uint8_t *bytes, size_t capacity)
{
    const struct bgp_encoding encoding = {
        .four_octet_as = true,
        .message_max = BGP_EXTENDED_MESSAGE_MAX,
        .add_path = view->with_path_id ? BGP_FAMILY_BIT(view->family) : 0,
    };
    size_t usual = capacity < BGP_MESSAGE_MAX ? capacity : BGP_MESSAGE_MAX;

    if (item->said.attributes != NULL) {
        /* As long as collectors are used to, where the attributes leave room for that. */
        if (bgp_update_begin(writer, &encoding, view->family, item->said.attributes,
                             &item->said.export, bytes, usual) ||
            bgp_update_begin(writer, &encoding, view->family, item->said.attributes,
                             &item->said.export, bytes, capacity))
            return true;
        drop(view, item); /* no message holds it: what was said of it before is taken back */
    }
    return bgp_withdraw_begin(writer, &encoding, view->family, bytes, usual);
}

size_t monitor_view_write(struct monitor_view *view, uint8_t *bytes, size_t capacity)
{
    struct bgp_update_writer writer;
    struct rib_outgoing first;
    struct item item;

    if (view->end_due && !view->working) {
        view->end_due = false;
        return bgp_end_of_rib_encode(view->family, bytes, capacity);
    }
    if (!peek(view, &item))
        return 0;
    if (!begin_update(view, &item, &writer, bytes, capacity)) {
        drop(view, &item);
        return 0;
    }
    first = item.said;
    if (first.attributes != NULL)
        bgp_attributes_hold(first.attributes);
    while (bgp_update_add_path(&writer, &item.prefix, item.path_id)) {
        commit(view, &item);
        drop(view, &item);
        if (!peek(view, &item) || !rib_outgoing_same(&first, &item.said))
            break;
    }
    drop(view, &item);
    bgp_attributes_release(view->monitor->speaker->attributes, first.attributes);
    return bgp_update_end(&writer);
}

/* --- Marks, life ------------------------------------------------------------------------------ */

bool monitor_view_mark(struct monitor_view *view, uint32_t id)
{
    if (view->at != RIB_BITSET_END && id >= view->at)
        return false; /* its first telling is yet to come */
    if (rib_bitset_set(&view->changed, id) < 0)
        fail(view);
    return true;
}

bool monitor_view_pending(const struct monitor_view *view)
{
    return view->at != RIB_BITSET_END || view->end_due || view->working || view->changed.count > 0;
}

void monitor_view_open(struct monitor_view *view)
{
    view->at = view->cursor = 0;
    view->end_due = view->working = false;
}

void monitor_view_close(struct monitor_view *view)
{
    monitor_let_all_go(view->monitor, view->family, &view->told);
    rib_bitset_free(&view->changed);
    for (uint32_t id = 0; id < view->n_paths; id++)
        free(view->paths[id]);
    free(view->paths);
    view->paths = NULL;
    view->n_paths = 0;
}
