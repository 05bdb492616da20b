/*
 * libFuzzer: a file of MRT records. Everything in it is read; what a table holds is written again
 * and must be read as the same.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/bgp/mrt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bgp_attribute_table *table;
static struct mrt_attribute_reader *reader;
static struct mrt_writer *writer;

static void prepare(void)
{
    if (table == NULL) {
        table = bgp_attribute_table_create();
        reader = mrt_attribute_reader_create();
        writer = mrt_writer_create();
    }
}

/* self stands for the next hop of a set without one; it comes back in its place. */
static void write_again(const struct mrt_rib *rib, const struct mrt_rib_entry *entry,
                        const struct bgp_attributes *set)
{
    const struct lpm_address none = {0};
    const uint8_t *bytes;
    size_t n, size;
    struct mrt_record record;
    struct mrt_rib again;
    struct mrt_rib_entry entry_again;
    const struct bgp_attributes *back;
    mrt_write_rib_begin(writer, 1, rib->sequence, &rib->prefix, rib->with_path_id);
    mrt_write_rib_add(writer, entry->peer, entry->originated_s, entry->path_id, set, &none);
    mrt_write_rib_end(writer);
    int error = mrt_writer_take(writer, &bytes, &n);
    if (error != 0) { /* 65,535 octets once, and more by a canonical length; the writer is done */
        mrt_writer_destroy(writer);
        writer = mrt_writer_create();
        return;
    }
    error = mrt_record_decode(bytes, n, &record, &size);
    assert(error == 0 && size == n);
    error = mrt_rib_decode(&record, &again);
    assert(error == 0 && lpm_prefix_equal(&again.prefix, &rib->prefix));
    bool found = mrt_rib_next(&again, &entry_again);
    assert(found && entry_again.path_id == entry->path_id);
    error = mrt_attributes_decode(reader, rib->family, &entry_again, table, &back);
    assert(error == 0 && back == set);
    bgp_attributes_release(table, back);
}

static void read_rib(const struct mrt_record *record)
{
    struct mrt_rib rib;
    struct mrt_rib_entry entry;
    const struct bgp_attributes *set;
    if (mrt_rib_decode(record, &rib) != 0)
        return;
    while (mrt_rib_next(&rib, &entry))
        if (mrt_attributes_decode(reader, rib.family, &entry, table, &set) == 0) {
            write_again(&rib, &entry, set);
            bgp_attributes_release(table, set);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mrt_record record;
    struct mrt_peer_index index;
    struct mrt_message message;
    char text[MRT_KIND_TEXT];
    size_t n;
    prepare();
    for (int error; (error = mrt_record_decode(data, size, &record, &n)) == 0 || error == -EBADMSG;
         data += n, size -= n) {
        if (error != 0)
            continue;
        mrt_record_kind(&record, text);
        if (mrt_peer_index_decode(&record, &index) == 0)
            mrt_peer_index_free(&index);
        if (mrt_message_decode(&record, &message) == 0 && !message.is_state_change)
            assert(message.bytes + message.length == record.body + record.length);
        read_rib(&record);
    }
    assert(bgp_attribute_table_count(table) == 0);
    return 0;
}
