/*
 *   interval timer ──> begin: file.part ──> slice timer: PIECE_PREFIXES a turn ──> rename to file
 *
 * A dump that takes longer than the interval lets the next one wait for the one after.
 */
#include "engine/live/table_dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/live/log.h"
#include "engine/rib/dump.h"

#define PIECE_PREFIXES 512u /* well below a millisecond of work, with several paths each */
#define SLICE_MS       1u
#define PATH_BYTES     4096

struct live_table_dump {
    uv_timer_t interval, slice;
    FILE *file; /* NULL: no dump is under way */
    struct rib_dump *dump;
    size_t speaker; /* whose table is being written */
    uint32_t seconds;
    uint64_t bytes;
    char path[PATH_BYTES], part[PATH_BYTES + 8];
};

/* Drops what is under way; error 0: quietly. */
static void give_up(struct live *live, int error)
{
    struct live_table_dump *dumping = live->table_dump;
    if (!dumping->file)
        return;
    rib_dump_destroy(dumping->dump);
    fclose(dumping->file);
    unlink(dumping->part);
    dumping->dump = NULL;
    dumping->file = NULL;
    uv_timer_stop(&dumping->slice);
    if (error)
        live_log("table dump: %s: %s; given up", dumping->path, strerror(-error));
}

static void finish(struct live *live)
{
    struct live_table_dump *dumping = live->table_dump;
    int error =
        fclose(dumping->file) == 0 && rename(dumping->part, dumping->path) == 0 ? 0 : -errno;
    dumping->file = NULL;
    uv_timer_stop(&dumping->slice);
    if (error) {
        unlink(dumping->part);
        live_log("table dump: %s: %s; given up", dumping->path, strerror(-error));
        return;
    }
    live_log("table dump: %s, %llu bytes", dumping->path, (unsigned long long)dumping->bytes);
}

/* Whose table it is: "rs1/0", "er1". Merged instances have one, the first. */
static void name_table(struct live *live, const struct speaker *speaker, char view[200])
{
    snprintf(view, 200, "table");
    for (size_t i = 0; i < live->peer_count; i++) {
        const struct controller_peer *peer = live->peers[i]->peer;
        if (peer->speaker != speaker)
            continue;
        snprintf(view, 200, "%s/%u", live->fabric->route_servers[peer->route_server].name,
                 peer->instance);
        return;
    }
    for (uint32_t i = 0; i < live->fabric->gateways_count; i++)
        if (controller_gateway_speaker(live->plane.controller, i) == speaker)
            snprintf(view, 200, "%s", live->fabric->gateways[i].name);
}

static int next_table(struct live *live)
{
    struct live_table_dump *dumping = live->table_dump;
    const struct speaker *speaker = controller_speaker(live->plane.controller, dumping->speaker);
    char view[200];
    name_table(live, speaker, view);
    dumping->dump = rib_dump_create(speaker, view, dumping->seconds, live_now());
    return dumping->dump ? 0 : -errno;
}

/* One piece; *whole: there is no more. */
static int write_piece(struct live *live, bool *whole)
{
    struct live_table_dump *dumping = live->table_dump;
    const uint8_t *bytes;
    size_t n;
    *whole = dumping->speaker == controller_speaker_count(live->plane.controller);
    int error = *whole || dumping->dump ? 0 : next_table(live);
    if (error || *whole)
        return error;
    error = rib_dump_next(dumping->dump, PIECE_PREFIXES, &bytes, &n);
    if (error)
        return error;
    dumping->bytes += n;
    if (n > 0)
        return fwrite(bytes, 1, n, dumping->file) == n ? 0 : -errno;
    rib_dump_destroy(dumping->dump);
    dumping->dump = NULL;
    dumping->speaker++;
    return 0;
}

static void on_slice(uv_timer_t *timer)
{
    struct live *live = timer->data;
    bool whole = false;
    int error = write_piece(live, &whole);
    if (error)
        give_up(live, error);
    else if (whole)
        finish(live);
}

/* The letters of docs/fabric-file.md; any other stays as it is. */
static int expand_letter(char letter, const struct tm *calendar, char *text, size_t size)
{
    switch (letter) {
    case 'Y':
        return snprintf(text, size, "%04d", calendar->tm_year + 1900);
    case 'm':
        return snprintf(text, size, "%02d", calendar->tm_mon + 1);
    case 'd':
        return snprintf(text, size, "%02d", calendar->tm_mday);
    case 'H':
        return snprintf(text, size, "%02d", calendar->tm_hour);
    case 'M':
        return snprintf(text, size, "%02d", calendar->tm_min);
    case 'S':
        return snprintf(text, size, "%02d", calendar->tm_sec);
    default:
        return snprintf(text, size, "%%%c", letter);
    }
}

/* False: too long. */
static bool expand(const char *pattern, const struct tm *calendar, char path[PATH_BYTES])
{
    size_t used = 0;
    for (; *pattern && used < PATH_BYTES - 1; pattern++) {
        if (pattern[0] == '%' && pattern[1])
            used += (size_t)expand_letter(*++pattern, calendar, path + used, PATH_BYTES - used);
        else
            path[used++] = *pattern;
    }
    bool fits = used < PATH_BYTES && !*pattern;
    path[fits ? used : PATH_BYTES - 1] = '\0';
    return fits;
}

static int begin(struct live *live)
{
    struct live_table_dump *dumping = live->table_dump;
    time_t now = time(NULL);
    struct tm calendar;
    gmtime_r(&now, &calendar);
    if (!expand(live->fabric->engine.mrt.file, &calendar, dumping->path))
        return -ENAMETOOLONG;
    snprintf(dumping->part, sizeof(dumping->part), "%s.part", dumping->path);
    dumping->seconds = (uint32_t)now;
    dumping->speaker = 0;
    dumping->bytes = 0;
    dumping->file = fopen(dumping->part, "we");
    return dumping->file ? 0 : -errno;
}

static void on_interval(uv_timer_t *timer)
{
    struct live *live = timer->data;
    struct live_table_dump *dumping = live->table_dump;
    if (dumping->file || live->stopping)
        return;
    int error = begin(live);
    if (error)
        live_log("table dump: %s: %s", dumping->path, strerror(-error));
    else
        uv_timer_start(&dumping->slice, on_slice, SLICE_MS, SLICE_MS);
}

int live_table_dump_open(struct live *live)
{
    const struct fabric_mrt *config = &live->fabric->engine.mrt;
    if (!config->present)
        return 0;
    live->table_dump = calloc(1, sizeof(*live->table_dump));
    if (!live->table_dump)
        return -ENOMEM;
    uv_timer_init(&live->loop, &live->table_dump->interval);
    uv_timer_init(&live->loop, &live->table_dump->slice);
    live->table_dump->interval.data = live->table_dump->slice.data = live;
    uint64_t interval_ms = config->interval_s * UINT64_C(1000);
    return uv_timer_start(&live->table_dump->interval, on_interval, interval_ms, interval_ms);
}

/* The loop closes the handles, with all others. */
void live_table_dump_close(struct live *live)
{
    if (live->table_dump)
        give_up(live, 0);
}

void live_table_dump_free(struct live *live)
{
    free(live->table_dump);
    live->table_dump = NULL;
}
