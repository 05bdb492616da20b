/* See control_trace.h. */
#include "engine/live/control_trace.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/live/control_capture.h"
#include "engine/live/log.h"
#include "engine/live/trace_row.h"

#define POLL_MS       20u
#define COUNT_DEFAULT 10
#define COUNT_MOST    1000000
#define SECONDS_MOST  3600
#define ERROR_TEXT    512
/* Of which the text is made in one turn: well under a millisecond. */
#define RECORDS_A_TURN 8u

enum end { END_NONE, END_COUNT, END_SECONDS, END_STOPPED, END_NIC_GONE };

struct live_trace {
    struct live_stream stream; /* first: the stream is the trace for its client */
    uv_timer_t timer;
    struct live *live;
    struct live_trace *next_running; /* in live.traces */
    struct dp_trace *trace;          /* NULL: it has ended */
    uint32_t nic;                    /* as struct dp_trace_config has it */
    uint64_t packets, missed, packets_most;
    uint64_t until_ms;
    json_int_t seconds_most;
    enum end end;
    bool greeted;
    char label[96];
};

/* --- What is asked for ------------------------------------------------------------------------- */

static bool read_prefix(const json_t *request, const char *key, struct lpm_prefix *prefix,
                        char error[ERROR_TEXT])
{
    const json_t *asked = json_object_get(request, key);
    const char *text = json_string_value(asked);
    struct lpm_address address;
    if (!asked || (text && lpm_prefix_parse(text, prefix) == 0))
        return true;
    if (text && lpm_address_parse(text, &address) == 0) {
        *prefix = (struct lpm_prefix){.family = address.family,
                                      .length = address.family == LPM_IPV4 ? 32 : 128};
        memcpy(prefix->bytes, address.bytes, sizeof(prefix->bytes));
        return true;
    }
    snprintf(error, ERROR_TEXT, "'%s' is an IP address or a prefix without bits beyond its length",
             key);
    return false;
}

static bool read_protocol(const json_t *request, uint32_t *protocol, char error[ERROR_TEXT])
{
    static const struct {
        const char *name;
        uint8_t number;
    } known[] = {{"tcp", IPPROTO_TCP},
                 {"udp", IPPROTO_UDP},
                 {"sctp", IPPROTO_SCTP},
                 {"icmp", IPPROTO_ICMP},
                 {"icmpv6", IPPROTO_ICMPV6}};
    const json_t *asked = json_object_get(request, "protocol");
    const char *name = json_string_value(asked);
    json_int_t number = json_is_integer(asked) ? json_integer_value(asked) : -1;
    for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i].name) == 0)
            number = known[i].number;
    *protocol = asked ? (uint32_t)number : DP_TRACE_ANY;
    if (!asked || (number >= 0 && number <= UINT8_MAX))
        return true;
    snprintf(error, ERROR_TEXT, "'protocol' is tcp, udp, sctp, icmp, icmpv6 or a number up to 255");
    return false;
}

static bool read_port(const json_t *request, const char *key, uint32_t *port,
                      char error[ERROR_TEXT])
{
    const json_t *asked = json_object_get(request, key);
    json_int_t number = json_integer_value(asked);
    *port = asked ? (uint32_t)number : DP_TRACE_ANY;
    if (!asked || (json_is_integer(asked) && number >= 0 && number <= UINT16_MAX))
        return true;
    snprintf(error, ERROR_TEXT, "'%s' is a number up to 65535", key);
    return false;
}

static bool read_drops(const json_t *request, struct dp_trace_config *config,
                       char error[ERROR_TEXT])
{
    const json_t *drops = json_object_get(request, "drops");
    if (drops && !json_is_boolean(drops)) {
        snprintf(error, ERROR_TEXT, "'drops' is true or false");
        return false;
    }
    if (!live_observed_reason(request, &config->reason, error))
        return false;
    config->drops = json_is_true(drops) || config->reason < DP_REASON_COUNT;
    return true;
}

static bool read_headers(const json_t *request, struct dp_trace_config *config,
                         char error[ERROR_TEXT])
{
    if (!read_prefix(request, "source", &config->source, error) ||
        !read_prefix(request, "destination", &config->destination, error) ||
        !read_protocol(request, &config->protocol, error) ||
        !read_port(request, "source_port", &config->source_port, error) ||
        !read_port(request, "destination_port", &config->destination_port, error))
        return false;
    if (config->source.family == 0 || config->destination.family == 0 ||
        config->source.family == config->destination.family)
        return true;
    snprintf(error, ERROR_TEXT, "'source' and 'destination' are of one family");
    return false;
}

static bool read_config(const struct live *live, const json_t *request,
                        struct dp_trace_config *config, json_int_t *seconds, char error[ERROR_TEXT])
{
    json_int_t count = COUNT_DEFAULT;
    if (!live->plane.engine) {
        snprintf(error, ERROR_TEXT, "the fabric file has no ports, so no packet is here");
        return false;
    }
    config->nic = live_observed_nic(live, request, error);
    if (config->nic == 0 || !read_headers(request, config, error) ||
        !read_drops(request, config, error) ||
        !live_observed_number(request, "count", COUNT_MOST, &count, error) ||
        !live_observed_number(request, "seconds", SECONDS_MOST, seconds, error))
        return false;
    config->packets_most = (uint64_t)count;
    return true;
}

/* --- Its way ---------------------------------------------------------------------------------- */

static void forget(struct live_trace *trace)
{
    struct live_trace **place = &trace->live->traces;
    if (!trace->trace)
        return;
    trace->missed = dp_trace_missed(trace->trace);
    dp_trace_free(trace->trace);
    trace->trace = NULL;
    while (*place != trace)
        place = &(*place)->next_running;
    *place = trace->next_running;
    uv_timer_stop(&trace->timer);
    live_log("control: trace of %s ended: %llu packets, %llu missed", trace->label,
             (unsigned long long)trace->packets, (unsigned long long)trace->missed);
}

/* The first reason stands. What workers have noted before the end still goes; what they go on to note until they
 * are told of it does not keep it from coming. */
static void finish(struct live_trace *trace, enum end end)
{
    if (trace->end != END_NONE)
        return;
    trace->end = end;
    if (trace->packets_most > trace->packets + DP_TRACE_RING)
        trace->packets_most = trace->packets + DP_TRACE_RING;
}

static void add_line(struct live_text *text, json_t *document)
{
    live_text_json(text, json_pack("{s:o}", "answer", document));
    live_text_add(text, "\n", 1);
}

static void add_records(struct live_trace *trace, struct live_text *text)
{
    struct dp_trace_record record;
    for (unsigned i = 0; i < RECORDS_A_TURN && trace->packets < trace->packets_most; i++) {
        if (!dp_trace_take(trace->trace, &record))
            return;
        trace->packets++;
        add_line(text, live_trace_row(trace->live, &record));
    }
    if (trace->packets >= trace->packets_most)
        finish(trace, END_COUNT);
}

static json_t *farewell(const struct live_trace *trace)
{
    static const char *const texts[] = {
        [END_COUNT] = "count",
        [END_SECONDS] = "seconds",
        [END_STOPPED] = "stopped",
        [END_NIC_GONE] = "nic-gone",
    };
    return json_pack("{s:I, s:I, s:s}", "packets", (json_int_t)trace->packets, "missed",
                     (json_int_t)trace->missed, "ended", texts[trace->end]);
}

static json_t *greeting(const struct live_trace *trace)
{
    return json_pack("{s:b, s:I, s:I}", "tracing", true, "count", (json_int_t)trace->packets_most,
                     "seconds", trace->seconds_most);
}

static enum live_stream_state next(struct live_stream *stream, struct live_text *text)
{
    struct live_trace *trace = (struct live_trace *)stream;
    if (!trace->greeted) {
        trace->greeted = true;
        add_line(text, greeting(trace));
        return LIVE_STREAM_MORE;
    }
    if (trace->trace)
        add_records(trace, text);
    if (text->n > 0)
        return LIVE_STREAM_MORE;
    if (trace->end == END_NONE)
        return LIVE_STREAM_WAITS;
    forget(trace);
    add_line(text, farewell(trace));
    return LIVE_STREAM_OVER;
}

static void on_timer(uv_timer_t *timer)
{
    struct live_trace *trace = timer->data;
    if (live_now() >= trace->until_ms)
        finish(trace, END_SECONDS);
    live_stream_wake(&trace->stream);
}

static void finish_soon(struct live_trace *trace, enum end end)
{
    finish(trace, end);
    if (trace->trace)
        uv_timer_start(&trace->timer, on_timer, 0, POLL_MS);
}

static void interrupt(struct live_stream *stream)
{
    finish_soon((struct live_trace *)stream, END_STOPPED);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void leave(struct live_stream *stream)
{
    struct live_trace *trace = (struct live_trace *)stream;
    forget(trace);
    uv_close((uv_handle_t *)&trace->timer, on_closed);
}

/* --- Interface -------------------------------------------------------------------------------- */

static void start_error(int code, char error[ERROR_TEXT])
{
    if (code == -EBUSY)
        snprintf(error, ERROR_TEXT, "%u traces run already, which is as many as may",
                 DP_TRACES_MOST);
    else
        snprintf(error, ERROR_TEXT, "the trace cannot start: %s", strerror(-code));
}

static struct live_trace *start(struct live *live, const struct dp_trace_config *config,
                                json_int_t seconds, char error[ERROR_TEXT])
{
    struct live_trace *trace = calloc(1, sizeof(*trace));
    int code = trace ? dp_trace_start(live->plane.engine, config, &trace->trace) : -ENOMEM;
    if (code) {
        start_error(code, error);
        free(trace);
        return NULL;
    }
    trace->live = live;
    trace->nic = config->nic;
    trace->packets_most = config->packets_most;
    trace->seconds_most = seconds;
    trace->until_ms = live_now() + (uint64_t)seconds * 1000;
    trace->stream = (struct live_stream){.next = next, .end = leave, .interrupt = interrupt};
    trace->next_running = live->traces;
    live->traces = trace;
    uv_timer_init(&live->loop, &trace->timer);
    trace->timer.data = trace;
    uv_timer_start(&trace->timer, on_timer, POLL_MS, POLL_MS);
    return trace;
}

struct live_stream *live_trace_open(struct live *live, const json_t *request, json_t **result)
{
    struct dp_trace_config config = {0};
    struct live_trace *trace = NULL;
    json_int_t seconds = SECONDS_MOST;
    const char *nic = json_string_value(json_object_get(request, "nic"));
    char error[ERROR_TEXT] = "";
    if (read_config(live, request, &config, &seconds, error))
        trace = start(live, &config, seconds, error);
    if (!trace) {
        *result = json_pack("{s:s}", "error", error);
        return NULL;
    }
    snprintf(trace->label, sizeof(trace->label), "%s", nic ? nic : "all NICs");
    live_log("control: trace of %s begins", trace->label);
    return &trace->stream;
}

void live_traces_follow(struct live *live)
{
    for (struct live_trace *trace = live->traces; trace; trace = trace->next_running)
        if (!live_observed_nic_is_there(live, trace->nic))
            finish_soon(trace, END_NIC_GONE);
}

void live_traces_close(struct live *live)
{
    while (live->traces) {
        struct live_trace *trace = live->traces;
        finish(trace, END_STOPPED);
        forget(trace);
        live_stream_wake(&trace->stream);
    }
}
