/* See control_capture.h. */
#include "engine/live/control_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/live/log.h"

#define POLL_MS         50u
#define END_POLL_MS     5u /* an end takes a few of them */
#define CLOSE_WAITS     200u
#define CLOSE_WAIT_MS   10u
#define SECONDS_MOST    3600
#define BYTES_MOST      (256LL << 20)
#define SNAP_BYTES_MOST 65535
#define ERROR_TEXT      512

struct live_capture {
    struct live_stream stream; /* first: the stream is the capture for its client */
    uv_timer_t timer;
    struct live *live;
    struct live_capture *next_running; /* in live.captures */
    struct dp_capture *capture;        /* NULL: it has ended, status says how */
    struct dp_capture_config config;
    struct dp_capture_status status;
    bool greeted, left; /* the first answer was given; the client needs no more */
    bool nic_gone;      /* and its id may be another's */
    unsigned waits;     /* for its end, when the engine stops */
    char label[96];
};

/* --- What is asked for ------------------------------------------------------------------------- */

/* As many names as there is room for. */
static void list_nics(const struct fabric *fabric, char *text, size_t size)
{
    size_t used = 0;
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        const char *name = fabric->nics[i].name;
        if (used + strlen(name) + 32 > size) {
            snprintf(text + used, size - used, " and %u more", fabric->nics_count - i);
            return;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", name);
    }
    snprintf(text + used, size - used, "%sinternet", used > 0 ? ", " : "");
}

uint32_t live_observed_nic(const struct live *live, const json_t *request, char error[ERROR_TEXT])
{
    const json_t *asked = json_object_get(request, "nic");
    const char *name = json_string_value(asked);
    if (!asked)
        return DP_NIC_ANY;
    uint32_t nic = name ? fabric_find_nic(live->fabric, name) : FABRIC_NONE;
    if (nic != FABRIC_NONE)
        return program_nic_id(controller_program(live->plane.controller), nic);
    if (name && strcmp(name, "internet") == 0)
        return DP_NIC_INTERNET;
    int n = snprintf(error, ERROR_TEXT, "'nic' is the name of a NIC, one of: ");
    list_nics(live->fabric, error + n, ERROR_TEXT - (size_t)n);
    return 0;
}

bool live_observed_nic_is_there(const struct live *live, uint32_t nic)
{
    return nic == DP_NIC_ANY || nic == DP_NIC_INTERNET ||
           program_nic_of(controller_program(live->plane.controller), nic) != FABRIC_NONE;
}

static bool read_direction(const json_t *request, struct dp_capture_config *config)
{
    static const char *const names[] = {[DP_CAPTURE_BOTH] = "both",
                                        [DP_CAPTURE_IN] = "in",
                                        [DP_CAPTURE_OUT] = "out",
                                        [DP_CAPTURE_DROP] = "drop"};
    const json_t *asked = json_object_get(request, "direction");
    const char *name = asked ? json_string_value(asked) : names[DP_CAPTURE_BOTH];
    for (unsigned i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0) {
            config->direction = (enum dp_capture_direction)i;
            return true;
        }
    return false;
}

bool live_observed_reason(const json_t *request, unsigned *reason, char error[ERROR_TEXT])
{
    const json_t *asked = json_object_get(request, "reason");
    const char *name = json_string_value(asked);
    *reason = DP_REASON_COUNT;
    for (unsigned i = 0; name && i < DP_REASON_COUNT; i++)
        if (strcmp(dp_reason_name((enum dp_reason)i), name) == 0)
            *reason = i;
    if (!asked || *reason < DP_REASON_COUNT)
        return true;
    size_t n = (size_t)snprintf(error, ERROR_TEXT, "'reason' is one of:");
    for (unsigned i = 0; i < DP_REASON_COUNT && n < ERROR_TEXT; i++)
        n += (size_t)snprintf(error + n, ERROR_TEXT - n, "%s %s", i > 0 ? "," : "",
                              dp_reason_name((enum dp_reason)i));
    return false;
}

bool live_observed_number(const json_t *request, const char *key, json_int_t most,
                          json_int_t *number, char error[ERROR_TEXT])
{
    const json_t *asked = json_object_get(request, key);
    json_int_t value = json_integer_value(asked);
    if (!asked)
        return true;
    *number = value;
    if (json_is_integer(asked) && value >= 1 && value <= most)
        return true;
    snprintf(error, ERROR_TEXT, "'%s' is a number from 1 to %lld", key, (long long)most);
    return false;
}

static bool read_limits(const json_t *request, struct dp_capture_config *config,
                        char error[ERROR_TEXT])
{
    json_int_t packets = 0, seconds = SECONDS_MOST, bytes = BYTES_MOST, snap = 0;
    if (!live_observed_number(request, "count", INT64_MAX, &packets, error) ||
        !live_observed_number(request, "seconds", SECONDS_MOST, &seconds, error) ||
        !live_observed_number(request, "bytes", BYTES_MOST, &bytes, error) ||
        !live_observed_number(request, "snap_bytes", SNAP_BYTES_MOST, &snap, error))
        return false;
    config->packets_most = (uint64_t)packets;
    config->seconds_most = (uint32_t)seconds;
    config->bytes_most = (uint64_t)bytes;
    config->snap_bytes = (uint32_t)snap;
    return true;
}

static bool read_config(const struct live *live, const json_t *request,
                        struct dp_capture_config *config, char error[ERROR_TEXT])
{
    if (!live->plane.engine) {
        snprintf(error, ERROR_TEXT, "the fabric file has no ports, so no packet is here");
        return false;
    }
    config->nic = live_observed_nic(live, request, error);
    if (config->nic == 0)
        return false;
    if (!read_direction(request, config)) {
        snprintf(error, ERROR_TEXT, "'direction' is one of: both, in, out, drop");
        return false;
    }
    if (!live_observed_reason(request, &config->reason, error))
        return false;
    if (config->reason < DP_REASON_COUNT && json_object_get(request, "direction") &&
        config->direction != DP_CAPTURE_DROP) {
        snprintf(error, ERROR_TEXT, "'reason' is of what is dropped: 'direction' is then drop");
        return false;
    }
    if (config->reason < DP_REASON_COUNT)
        config->direction = DP_CAPTURE_DROP;
    return read_limits(request, config, error);
}

/* One that may block, or that the client itself may not write, is not for the engine to write. */
static bool check_file(const struct live_descriptors *descriptors, char error[ERROR_TEXT])
{
    struct stat about;
    int fd = descriptors->first;
    if (descriptors->n != 1 || fd < 0) {
        snprintf(error, ERROR_TEXT,
                 "the descriptor of one file to write comes with the request (SCM_RIGHTS): %u came",
                 descriptors->n);
        return false;
    }
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
        (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
        return true;
    snprintf(error, ERROR_TEXT, "the descriptor is not of a regular file that is open for writing");
    return false;
}

/* --- Its way ---------------------------------------------------------------------------------- */

static const char *end_text(const struct live_capture *capture)
{
    const enum dp_capture_end end = capture->status.end;
    static const char *const texts[] = {
        [DP_CAPTURE_RUNNING] = "running", [DP_CAPTURE_STOPPED] = "stopped",
        [DP_CAPTURE_PACKETS] = "count",   [DP_CAPTURE_BYTES] = "bytes",
        [DP_CAPTURE_SECONDS] = "seconds", [DP_CAPTURE_FAILED] = "failed",
    };
    return end == DP_CAPTURE_STOPPED && capture->nic_gone ? "nic-gone" : texts[end];
}

static json_t *greeting(const struct live_capture *capture)
{
    return json_pack("{s:{s:b, s:I, s:I}}", "answer", "capturing", true, "seconds_most",
                     (json_int_t)capture->config.seconds_most, "bytes_most",
                     (json_int_t)capture->config.bytes_most);
}

static json_t *farewell(const struct live_capture *capture)
{
    const struct dp_capture_status *status = &capture->status;
    const char *error = status->end == DP_CAPTURE_FAILED ? strerror(status->error) : NULL;
    return json_pack("{s:{s:I, s:I, s:I, s:s, s:s?}}", "answer", "packets",
                     (json_int_t)status->packets, "missed", (json_int_t)status->missed, "bytes",
                     (json_int_t)status->bytes, "ended", end_text(capture), "error", error);
}

static enum live_stream_state next(struct live_stream *stream, struct live_text *text)
{
    struct live_capture *capture = (struct live_capture *)stream;
    if (capture->greeted && capture->capture)
        return LIVE_STREAM_WAITS;
    live_text_json(text, capture->greeted ? farewell(capture) : greeting(capture));
    live_text_add(text, "\n", 1);
    if (capture->greeted)
        return LIVE_STREAM_OVER;
    capture->greeted = true;
    return LIVE_STREAM_MORE;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void forget(struct live_capture *capture)
{
    if (!uv_is_closing((uv_handle_t *)&capture->timer))
        uv_close((uv_handle_t *)&capture->timer, on_closed);
}

static void unlist(struct live_capture *capture)
{
    struct live_capture **place = &capture->live->captures;
    while (*place != capture)
        place = &(*place)->next_running;
    *place = capture->next_running;
}

/* The file is whole. Whoever comes last, this or the client's leave, ends it all. */
static void settle(struct live_capture *capture)
{
    dp_capture_free(capture->capture);
    capture->capture = NULL;
    unlist(capture);
    uv_timer_stop(&capture->timer);
    live_log("control: capture of %s ended (%s): %llu packets, %llu missed", capture->label,
             end_text(capture), (unsigned long long)capture->status.packets,
             (unsigned long long)capture->status.missed);
    if (capture->left)
        forget(capture);
    else
        live_stream_wake(&capture->stream);
}

static void on_timer(uv_timer_t *timer)
{
    struct live_capture *capture = timer->data;
    if (dp_capture_poll(capture->capture, &capture->status))
        settle(capture);
    else if (capture->status.end != DP_CAPTURE_RUNNING)
        uv_timer_start(timer, on_timer, END_POLL_MS, END_POLL_MS);
}

static void interrupt(struct live_stream *stream)
{
    struct live_capture *capture = (struct live_capture *)stream;
    if (!capture->capture)
        return;
    dp_capture_stop(capture->capture);
    uv_timer_start(&capture->timer, on_timer, 0, END_POLL_MS);
}

static void leave(struct live_stream *stream)
{
    struct live_capture *capture = (struct live_capture *)stream;
    capture->left = true;
    interrupt(stream);
    if (!capture->capture)
        forget(capture);
}

/* --- Interface -------------------------------------------------------------------------------- */

static void start_error(int code, char error[ERROR_TEXT])
{
    if (code == -EBUSY)
        snprintf(error, ERROR_TEXT, "%u captures run already, which is as many as may",
                 DP_CAPTURES_MOST);
    else
        snprintf(error, ERROR_TEXT, "the capture cannot start: %s", strerror(-code));
}

static struct live_capture *start(struct live *live, const struct dp_capture_config *config,
                                  char error[ERROR_TEXT])
{
    struct live_capture *capture = calloc(1, sizeof(*capture));
    int code = capture ? dp_capture_start(live->plane.engine, config, &capture->capture) : -ENOMEM;
    if (code) {
        start_error(code, error);
        free(capture);
        return NULL;
    }
    capture->config = *config;
    capture->live = live;
    capture->stream = (struct live_stream){.next = next, .end = leave, .interrupt = interrupt};
    capture->next_running = live->captures;
    live->captures = capture;
    uv_timer_init(&live->loop, &capture->timer);
    capture->timer.data = capture;
    uv_timer_start(&capture->timer, on_timer, POLL_MS, POLL_MS);
    return capture;
}

struct live_stream *live_capture_open(struct live *live, const json_t *request,
                                      struct live_descriptors *descriptors, json_t **result)
{
    struct dp_capture_config config = {0};
    struct live_capture *capture = NULL;
    const char *nic = json_string_value(json_object_get(request, "nic"));
    char error[ERROR_TEXT] = "";
    if (read_config(live, request, &config, error) && check_file(descriptors, error)) {
        config.file = descriptors->first;
        capture = start(live, &config, error);
    }
    if (!capture) {
        *result = json_pack("{s:s}", "error", error);
        return NULL;
    }
    live_descriptors_take(descriptors);
    snprintf(capture->label, sizeof(capture->label), "%s", nic ? nic : "all NICs");
    live_log("control: capture of %s begins", capture->label);
    return &capture->stream;
}

void live_captures_follow(struct live *live)
{
    for (struct live_capture *capture = live->captures; capture; capture = capture->next_running) {
        if (live_observed_nic_is_there(live, capture->config.nic))
            continue;
        capture->nic_gone = true;
        interrupt(&capture->stream);
    }
}

void live_captures_close(struct live *live)
{
    while (live->captures) {
        struct live_capture *capture = live->captures;
        dp_capture_stop(capture->capture);
        while (!dp_capture_poll(capture->capture, &capture->status) &&
               capture->waits++ < CLOSE_WAITS)
            uv_sleep(CLOSE_WAIT_MS);
        settle(capture);
    }
}
