/*
 * See events.h. Lines are added to the file; one that cannot be written (the disk is full) is counted
 * and said at most once a minute: the engine goes on.
 */
#include "engine/live/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/live/log.h"
#include "engine/program/events.h"

#define COMPLAINT_MS  60000u
#define EVENTS_BUFFER (256u << 10)

struct live_events {
    FILE *file;        /* NULL: kept in the ring only */
    int64_t offset_ms; /* from the control plane's time to that since 1970 */
    bool dirty;
    uint64_t lost, complained_ms;
};

/* Taken once: an event has one time, wherever it is shown. */
static int64_t wall_offset_ms(void)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000 - (int64_t)live_now();
}

static void write_event(void *context, const struct event *event)
{
    struct live *live = context;
    struct live_events *events = live->events;
    if (!events->file)
        return;
    json_t *object = event_json(live->fabric, event, live->events->offset_ms);
    bool written = json_dumpf(object, events->file, JSON_COMPACT | JSON_REAL_PRECISION(13)) == 0 &&
                   fputc('\n', events->file) != EOF;
    events->lost += !written;
    events->dirty = true;
    json_decref(object);
}

void live_events_settle(struct live *live)
{
    struct live_events *events = live->events;
    if (!events || !events->dirty)
        return;
    events->dirty = false;
    uint64_t now_ms = live_now();
    bool failed = fflush(events->file) != 0;
    if ((failed || events->lost) &&
        (!events->complained_ms || now_ms - events->complained_ms >= COMPLAINT_MS)) {
        live_log("events: %s: %s; lines are missing", live->fabric->engine.events.file,
                 strerror(errno));
        events->complained_ms = now_ms;
        events->lost = 0;
    }
    clearerr(events->file);
}

/* A regular file: a pipe without a reader would stop the engine. */
static FILE *open_file(const char *path)
{
    struct stat about;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0)
        return NULL;
    FILE *file = NULL;
    if (fstat(fd, &about) == 0 && !S_ISREG(about.st_mode))
        errno = ENOTSUP;
    else
        file = fdopen(fd, "a");
    if (!file)
        close(fd);
    else
        setvbuf(file, NULL, _IOFBF, EVENTS_BUFFER);
    return file;
}

int live_events_open(struct live *live, char *error, size_t size)
{
    const struct fabric_events *config = &live->fabric->engine.events;
    if (!config->present)
        return 0;
    live->events = calloc(1, sizeof(*live->events));
    if (!live->events)
        return -ENOMEM;
    live->events->offset_ms = wall_offset_ms();
    if (config->file && !(live->events->file = open_file(config->file))) {
        int failed = -errno;
        snprintf(error, size, "engine.events.file: %s: %s", config->file,
                 failed == -ENOTSUP ? "must be a regular file" : strerror(-failed));
        return failed;
    }
    return controller_watch(live->plane.controller, write_event, live);
}

void live_events_close(struct live *live)
{
    if (live->events && live->events->file)
        fclose(live->events->file);
    free(live->events);
    live->events = NULL;
}

json_t *live_event_json(const struct live *live, const struct event *event)
{
    return event_json(live->fabric, event, live->events->offset_ms);
}

json_t *live_events_last(const struct live *live, unsigned most)
{
    const struct event_log *log = controller_events(live->plane.controller);
    json_t *list = json_array();
    uint64_t n = log ? event_log_count(log) : 0;
    for (uint64_t i = n > most ? n - most + 1 : 1; i <= n; i++) {
        const struct event *event = event_log_at(log, i);
        if (event)
            json_array_append_new(list, live_event_json(live, event));
    }
    return list;
}
