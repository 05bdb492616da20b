/* Metrics of the control thread: the engine itself, BGP and BFD sessions, probes, what is programmed. See
 * metrics_scrape.h. */
#include "engine/bgp/session.h"
#include "engine/live/bfd.h"
#include "engine/live/metrics_scrape.h"
#include "engine/live/peer.h"
#include "engine/program/events.h"

#include <stdio.h>
#include <time.h>

#define LABEL_COUNT(labels) ((unsigned)(sizeof(labels) / sizeof((labels)[0])))

/* --- The engine ------------------------------------------------------------------------------- */

static void write_build(const struct metrics_scrape *scrape, const struct metrics_family *family,
                        uint32_t row, FILE *out)
{
    const struct metric_label labels[] = {
        {"version", FINGERPOST_VERSION},
        {"fabric", scrape->fabric->name ? scrape->fabric->name : ""}};
    (void)row;
    metric_count(out, family->name, "", labels, LABEL_COUNT(labels), 1);
}

static void write_uptime(const struct metrics_scrape *scrape, const struct metrics_family *family,
                         uint32_t row, FILE *out)
{
    (void)row;
    metric_real(out, family->name, "", NULL, 0,
                (double)(live_now() - scrape->live->started_ms) / 1e3);
}

static void write_cpu(const struct metrics_scrape *scrape, const struct metrics_family *family,
                      uint32_t row, FILE *out)
{
    struct timespec time;
    (void)scrape;
    (void)row;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    metric_real(out, family->name, "", NULL, 0, (double)time.tv_sec + (double)time.tv_nsec / 1e9);
}

static void write_late(const struct metrics_scrape *scrape, const struct metrics_family *family,
                       uint32_t row, FILE *out)
{
    const struct live_lateness *late = &scrape->live->late;
    (void)row;
    metric_real(out, family->name, "_sum", NULL, 0, (double)late->sum_ns / 1e9);
    metric_count(out, family->name, "_count", NULL, 0, late->looks);
}

static void write_late_most(const struct metrics_scrape *scrape,
                            const struct metrics_family *family, uint32_t row, FILE *out)
{
    (void)row;
    metric_real(out, family->name, "", NULL, 0, (double)scrape->live->late.most_ns / 1e9);
}

static void write_slice(const struct metrics_scrape *scrape, const struct metrics_family *family,
                        uint32_t row, FILE *out)
{
    (void)row;
    metric_real(out, family->name, "", NULL, 0, (double)scrape->live->slice_longest_ns / 1e9);
}

static uint32_t with_events(const struct metrics_scrape *scrape)
{
    return controller_events(scrape->live->plane.controller) != NULL;
}

static void write_events(const struct metrics_scrape *scrape, const struct metrics_family *family,
                         uint32_t row, FILE *out)
{
    (void)row;
    metric_count(out, family->name, "", NULL, 0,
                 event_log_count(controller_events(scrape->live->plane.controller)));
}

/* --- What is programmed ----------------------------------------------------------------------- */

static void write_size(const struct metrics_scrape *scrape, const struct metrics_family *family,
                       uint32_t row, FILE *out)
{
    _Static_assert(sizeof(size_t) == sizeof(uint64_t), "metrics_field() reads either");
    (void)row;
    metric_count(out, family->name, "", NULL, 0, metrics_field(&scrape->size, family));
}

static void write_fib_bytes(const struct metrics_scrape *scrape,
                            const struct metrics_family *family, uint32_t row, FILE *out)
{
    struct lpm_bytes bytes;
    lpm_bytes(scrape->live->plane.lpm, &bytes);
    const struct {
        const char *use;
        size_t bytes;
    } parts[] = {{"lookup", bytes.lookup},
                 {"writer", bytes.writer},
                 {"deferred", bytes.deferred},
                 {"free", bytes.free}};
    (void)row;
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const struct metric_label label = {"use", parts[i].use};
        metric_count(out, family->name, "", &label, 1, parts[i].bytes);
    }
}

/* --- Backends --------------------------------------------------------------------------------- */

static uint32_t balancers(const struct metrics_scrape *scrape)
{
    return scrape->fabric->load_balancers_count;
}

static void write_backends(const struct metrics_scrape *scrape, const struct metrics_family *family,
                           uint32_t row, FILE *out)
{
    const struct fabric_load_balancer *balancer = &scrape->fabric->load_balancers[row];
    const struct program *program = controller_program(scrape->live->plane.controller);
    for (uint32_t i = 0; i < balancer->backend_count; i++) {
        const struct metric_label labels[] = {
            {"load_balancer", balancer->name},
            {"nic", scrape->fabric->nics[balancer->backends[i]].name}};
        metric_count(out, family->name, "", labels, LABEL_COUNT(labels),
                     program_backend_is_up(program, row, i));
    }
}

/* --- Sessions --------------------------------------------------------------------------------- */

enum { SERVER, INSTANCE, PEER, ADDRESS, MORE, SESSION_LABELS };

/* What names a session, with room for one label more. */
struct session_labels {
    struct metric_label labels[SESSION_LABELS];
    char instance[16], address[LPM_ADDRESS_TEXT];
};

static void name_session(const struct live *live, const struct controller_peer *session,
                         struct session_labels *name)
{
    const struct speaker_peer_config *config = speaker_peer_config(session->peer);
    snprintf(name->instance, sizeof(name->instance), "%u", session->instance);
    name->labels[SERVER] =
        (struct metric_label){session->gateway == FABRIC_NONE ? "route_server" : "gateway",
                              live_session_owner(live, session)};
    name->labels[INSTANCE] = (struct metric_label){"instance", name->instance};
    name->labels[PEER] = (struct metric_label){"peer", config->name};
    name->labels[ADDRESS] =
        (struct metric_label){"address", lpm_address_format(&config->peer_address, name->address)};
    name->labels[MORE] = (struct metric_label){NULL, NULL};
}

static uint32_t sessions(const struct metrics_scrape *scrape)
{
    return (uint32_t)(scrape->live->peer_count + scrape->live->gateway_peer_count);
}

static const struct controller_peer *session_at(const struct metrics_scrape *scrape, uint32_t row)
{
    return live_peer_at(scrape->live, row)->peer;
}

static void write_states(const struct metrics_scrape *scrape, const struct metrics_family *family,
                         uint32_t row, FILE *out)
{
    const struct controller_peer *session = session_at(scrape, row);
    enum bgp_state now = bgp_session_state(speaker_peer_session(session->peer));
    struct session_labels name;
    name_session(scrape->live, session, &name);
    for (enum bgp_state state = BGP_IDLE; state <= BGP_ESTABLISHED; state++) {
        name.labels[MORE] = (struct metric_label){"state", bgp_state_text(state)};
        metric_count(out, family->name, "", name.labels, SESSION_LABELS, state == now);
    }
}

struct session_numbers {
    uint64_t up, learned, advertised, stale, refused, updates_in, updates_out, bytes_in, bytes_out,
        established;
};

static void write_session(const struct metrics_scrape *scrape, const struct metrics_family *family,
                          uint32_t row, FILE *out)
{
    const struct controller_peer *session = session_at(scrape, row);
    const struct bgp_session *bgp = speaker_peer_session(session->peer);
    struct speaker_peer_counters counters;
    struct session_labels name;
    speaker_peer_counters(session->peer, &counters);
    const struct session_numbers numbers = {
        .up = bgp_session_state(bgp) == BGP_ESTABLISHED,
        .learned = counters.held,
        .advertised = counters.advertised,
        .stale = counters.stale,
        .refused = counters.refused,
        .updates_in = counters.updates_in,
        .updates_out = counters.updates_out,
        .bytes_in = bgp_session_counters(bgp)->bytes_in,
        .bytes_out = bgp_session_counters(bgp)->bytes_out,
        .established = bgp_session_counters(bgp)->established,
    };
    name_session(scrape->live, session, &name);
    metric_count(out, family->name, "", name.labels, SESSION_LABELS,
                 metrics_field(&numbers, family));
}

/* `field` is that of messages_in or messages_out. */
static void write_messages(const struct metrics_scrape *scrape, const struct metrics_family *family,
                           uint32_t row, FILE *out)
{
    static const char *const types[BGP_MESSAGE_TYPES] = {[BGP_OPEN] = "open",
                                                         [BGP_UPDATE] = "update",
                                                         [BGP_NOTIFICATION] = "notification",
                                                         [BGP_KEEPALIVE] = "keepalive",
                                                         [BGP_ROUTE_REFRESH] = "route-refresh"};
    const struct controller_peer *session = session_at(scrape, row);
    const struct bgp_session_counters *counters =
        bgp_session_counters(speaker_peer_session(session->peer));
    const uint64_t *messages =
        (const uint64_t *)(const void *)((const char *)counters + family->field);
    struct session_labels name;
    name_session(scrape->live, session, &name);
    for (unsigned type = BGP_OPEN; type < BGP_MESSAGE_TYPES; type++) {
        name.labels[MORE] = (struct metric_label){"type", types[type]};
        metric_count(out, family->name, "", name.labels, SESSION_LABELS, messages[type]);
    }
}

struct bfd_numbers {
    uint64_t up, packets_in, packets_out, went_down;
};

static void write_bfd(const struct metrics_scrape *scrape, const struct metrics_family *family,
                      uint32_t row, FILE *out)
{
    const struct controller_peer *session = session_at(scrape, row);
    struct session_labels name;
    struct bfd_info info;
    if (!session->bfd)
        return;
    bfd_session_info(session->bfd, &info);
    const struct bfd_numbers numbers = {.up = info.state == BFD_UP,
                                        .packets_in = info.packets_in,
                                        .packets_out = info.packets_out,
                                        .went_down = info.went_down};
    name_session(scrape->live, session, &name);
    metric_count(out, family->name, "", name.labels, SESSION_LABELS,
                 metrics_field(&numbers, family));
}

static uint32_t bfd_sessions(const struct metrics_scrape *scrape)
{
    return scrape->live->bfd ? sessions(scrape) : 0;
}

/* --- Table ------------------------------------------------------------------------------------ */

#define ENGINE(name, kind, write, help)                                                            \
    {                                                                                              \
        "fingerpost_" name, help, kind, 0, NULL, write, false                                      \
    }
#define SIZE(name, help)                                                                           \
    {                                                                                              \
        "fingerpost_" #name, help, METRIC_GAUGE, offsetof(struct program_size, name), NULL,        \
            write_size, false                                                                      \
    }
#define SESSION(name, kind, field, help)                                                           \
    {                                                                                              \
        "fingerpost_session_" name, help, kind, offsetof(struct session_numbers, field), sessions, \
            write_session, true                                                                    \
    }
#define MESSAGES(name, field, help)                                                                \
    {                                                                                              \
        "fingerpost_session_" name "_total", help, METRIC_COUNTER,                                 \
            offsetof(struct bgp_session_counters, field), sessions, write_messages, true           \
    }
#define BFD(name, kind, field, help)                                                               \
    {                                                                                              \
        "fingerpost_bfd_" name, help, kind, offsetof(struct bfd_numbers, field), bfd_sessions,     \
            write_bfd, true                                                                        \
    }

const struct metrics_family metrics_control[] = {
    ENGINE("build_info", METRIC_GAUGE, write_build, "1, with the version and the fabric's name."),
    ENGINE("uptime_seconds", METRIC_GAUGE, write_uptime, "How long the engine runs."),
    ENGINE("control_cpu_seconds_total", METRIC_COUNTER, write_cpu,
           "CPU time of the control thread."),
    ENGINE("control_late_seconds", METRIC_SUMMARY, write_late,
           "How late the control thread was at its looks at the clock, ten a second."),
    ENGINE("control_late_most_seconds", METRIC_GAUGE, write_late_most, "The most of these ever."),
    ENGINE("control_slice_most_seconds", METRIC_GAUGE, write_slice,
           "The most CPU time that the control thread worked without a look at timers."),
    {"fingerpost_events_total", "Events and alerts, with engine.events.", METRIC_COUNTER, 0,
     with_events, write_events, false},
    SIZE(routes, "Routes of all FIBs."),
    SIZE(fibs, "FIBs."),
    SIZE(derived_fibs, "Of these, FIBs that hold only what differs from another."),
    SIZE(scopes, "Sets of NICs with equal routes."),
    SIZE(groups, "Next-hop groups."),
    ENGINE("fib_bytes", METRIC_GAUGE, write_fib_bytes, "Memory of all FIBs, by its use."),
    {"fingerpost_backend_up", "1: the load balancer's backend answers its probes.", METRIC_GAUGE, 0,
     balancers, write_backends, false},
    SESSION("up", METRIC_GAUGE, up, "1: the BGP session is Established."),
    {"fingerpost_session_state", "1 for the state that the BGP session is in.", METRIC_GAUGE, 0,
     sessions, write_states, true},
    SESSION("learned_prefixes", METRIC_GAUGE, learned, "Prefixes held that the peer announced."),
    SESSION("advertised_prefixes", METRIC_GAUGE, advertised, "Prefixes that the peer was sent."),
    SESSION("stale_prefixes", METRIC_GAUGE, stale, "Prefixes that wait for being confirmed."),
    SESSION("refused_prefixes_total", METRIC_COUNTER, refused, "Prefixes dropped as too many."),
    SESSION("established_total", METRIC_COUNTER, established, "Times that it was Established."),
    SESSION("updates_in_total", METRIC_COUNTER, updates_in, "UPDATEs taken."),
    SESSION("updates_out_total", METRIC_COUNTER, updates_out, "UPDATEs sent."),
    MESSAGES("messages_in", messages_in, "Messages received, by type."),
    MESSAGES("messages_out", messages_out, "Messages sent, by type."),
    SESSION("bytes_in_total", METRIC_COUNTER, bytes_in, "Bytes of messages received."),
    SESSION("bytes_out_total", METRIC_COUNTER, bytes_out, "Bytes of messages sent."),
    BFD("up", METRIC_GAUGE, up, "1: the BFD session is Up."),
    BFD("packets_in_total", METRIC_COUNTER, packets_in, "BFD packets taken."),
    BFD("packets_out_total", METRIC_COUNTER, packets_out, "BFD packets sent."),
    BFD("down_total", METRIC_COUNTER, went_down, "Times that the BFD session left Up."),
};
const unsigned metrics_control_count = sizeof(metrics_control) / sizeof(metrics_control[0]);
