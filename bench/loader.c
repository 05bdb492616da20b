/*
 * Routers on sockets. Input is framed here, because a session decodes and interns what it is given
 * and a receiver of the bench only has to know which prefixes it holds.
 */
#include "bench/loader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/netns.h"
#include "bench/tally.h"
#include "engine/bgp/session.h"

#define BGP_PORT 179
/* Bytes of one read: as much as a full socket gives at once. */
#define INPUT_SIZE         (256u * 1024)
#define OUTPUT_SIZE        (64u * 1024)
#define EVENTS_MAX         64
#define HOLD_TIME_S        240
#define NANOSECONDS_PER_MS 1000000u

struct router {
    struct bench_loader *loader;
    unsigned number;
    int fd; /* -1: none */
    bool connecting, connect_wanted, close_wanted, output_wanted, was_up, dead;
    bool watches_output;
    struct bgp_session *session;
    struct bench_tally *tally; /* NULL: what it is told is passed over */
    const struct bench_stream *stream;
    size_t stream_at;
    size_t head, tail; /* of output, what the socket has not taken */
    uint8_t *output;   /* OUTPUT_SIZE */
    uint8_t rest[BGP_EXTENDED_MESSAGE_MAX];
    size_t rest_size; /* of a message that did not come whole */
};

struct bench_loader {
    struct bench_loader_config config;
    struct router *routers;
    struct bgp_attribute_table *attributes;
    struct bench_memo *memo;
    int poll;
    bool broken;
    char reason[256];
    uint8_t input[INPUT_SIZE];
};

static uint64_t now_ms(void)
{
    return bench_now_ns() / NANOSECONDS_PER_MS;
}

/* --- Session's handler ------------------------------------------------------------------------ */

static void on_state(void *context, enum bgp_state state, const char *reason)
{
    struct router *router = context;

    if (state == BGP_ESTABLISHED) {
        router->was_up = true;
    } else if (router->was_up && !router->dead && !router->loader->broken) {
        router->loader->broken = true;
        snprintf(router->loader->reason, sizeof(router->loader->reason), "router %u: %s",
                 router->number, reason);
    }
}

/* As many whole messages of the stream as fit. */
static size_t on_fill(void *context, uint8_t *bytes, size_t capacity)
{
    struct router *router = context;
    size_t n = 0;

    if (!router->stream)
        return 0;
    while (router->stream_at + n < router->stream->size) {
        const uint8_t *message = router->stream->bytes + router->stream_at + n;
        size_t length = (size_t)message[16] << 8 | message[17];

        if (n + length > capacity)
            break;
        n += length;
    }
    memcpy(bytes, router->stream->bytes + router->stream_at, n);
    router->stream_at += n;
    return n;
}

static void on_connect(void *context)
{
    ((struct router *)context)->connect_wanted = true;
}

static void on_close(void *context, enum bgp_direction direction)
{
    (void)direction;
    ((struct router *)context)->close_wanted = true;
}

static void on_output_ready(void *context, enum bgp_direction direction)
{
    (void)direction;
    ((struct router *)context)->output_wanted = true;
}

/* --- Sockets ---------------------------------------------------------------------------------- */

static void disconnect(struct router *router)
{
    if (router->fd >= 0)
        close(router->fd);
    router->fd = -1;
    router->connecting = router->close_wanted = router->output_wanted = false;
    router->head = router->tail = router->rest_size = 0;
}

/* The connection is gone without our doing. */
static void lost(struct router *router, int error)
{
    disconnect(router);
    bgp_session_closed(router->session, BGP_OUTGOING,
                       error ? strerror(error) : "the speaker closed the connection", now_ms());
}

static void watch(struct router *router, bool output, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = router};

    if (operation == EPOLL_CTL_MOD && router->watches_output == output)
        return;
    router->watches_output = output;
    epoll_ctl(router->loader->poll, operation, router->fd, &event);
}

static struct sockaddr_in endpoint(uint32_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

static void connect_out(struct router *router)
{
    struct sockaddr_in local = endpoint(BENCH_NETNS_PEER(router->number), 0);
    struct sockaddr_in remote = endpoint(BENCH_NETNS_SPEAKER, BGP_PORT);
    int yes = 1;

    router->connect_wanted = false;
    disconnect(router);
    router->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (router->fd < 0) {
        lost(router, errno);
        return;
    }
    setsockopt(router->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (bind(router->fd, (struct sockaddr *)&local, sizeof(local)) < 0 ||
        (connect(router->fd, (struct sockaddr *)&remote, sizeof(remote)) < 0 &&
         errno != EINPROGRESS)) {
        lost(router, errno);
        return;
    }
    router->connecting = true;
    watch(router, true, EPOLL_CTL_ADD);
}

static void settle_connect(struct router *router)
{
    int error = 0;
    socklen_t size = sizeof(error);

    getsockopt(router->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        lost(router, error);
        return;
    }
    router->connecting = false;
    bgp_session_connected(router->session, BGP_OUTGOING, now_ms());
}

/* Sends until there is nothing more or the socket is full. */
static void send_output(struct router *router)
{
    for (;;) {
        if (router->head == router->tail) {
            router->head = 0;
            router->tail = bgp_session_output(router->session, BGP_OUTGOING, router->output,
                                              OUTPUT_SIZE, now_ms());
        }
        if (router->tail == 0)
            break;
        ssize_t n = send(router->fd, router->output + router->head, router->tail - router->head,
                         MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            watch(router, true, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0) {
            lost(router, errno);
            return;
        }
        router->head += (size_t)n;
    }
    router->output_wanted = false;
    watch(router, false, EPOLL_CTL_MOD);
}

/* --- Input ------------------------------------------------------------------------------------ */

static void take_message(struct router *router, const uint8_t *bytes, size_t length)
{
    if (bytes[18] != BGP_UPDATE || bgp_session_state(router->session) != BGP_ESTABLISHED)
        bgp_session_input(router->session, BGP_OUTGOING, bytes, length, now_ms());
    else if (router->tally)
        bench_tally_update(router->tally, bytes, length);
}

/* Length of the message that begins here; 0 for what cannot be one. */
static size_t message_length(const uint8_t *bytes)
{
    size_t length = (size_t)bytes[16] << 8 | bytes[17];

    return length >= BGP_HEADER_SIZE ? length : 0;
}

/* Adds bytes to rest until it has `want`; returns how many. */
static size_t fill_rest(struct router *router, size_t want, const uint8_t *bytes, size_t n)
{
    size_t missing = want > router->rest_size ? want - router->rest_size : 0;
    size_t take = missing < n ? missing : n;

    memcpy(router->rest + router->rest_size, bytes, take);
    router->rest_size += take;
    return take;
}

/* Completes the message in rest as far as bytes reach. Returns what it took; 0: not a message. */
static size_t complete_rest(struct router *router, const uint8_t *bytes, size_t n)
{
    size_t taken = fill_rest(router, BGP_HEADER_SIZE, bytes, n);
    size_t length;

    if (router->rest_size < BGP_HEADER_SIZE)
        return taken;
    length = message_length(router->rest);
    if (length == 0)
        return 0;
    taken += fill_rest(router, length, bytes + taken, n - taken);
    if (router->rest_size == length) {
        router->rest_size = 0;
        take_message(router, router->rest, length);
    }
    return taken;
}

/* What is no BGP goes to the session, which knows what to answer. */
static void take_bytes(struct router *router, const uint8_t *bytes, size_t n)
{
    while (n > 0 && router->fd >= 0 && !router->close_wanted) {
        size_t length = n >= BGP_HEADER_SIZE ? message_length(bytes) : n + 1;

        if (router->rest_size > 0 || length > n)
            length = complete_rest(router, bytes, n);
        else if (length > 0)
            take_message(router, bytes, length);
        if (length == 0) {
            bgp_session_input(router->session, BGP_OUTGOING, bytes, n, now_ms());
            return;
        }
        bytes += length;
        n -= length;
    }
}

static void receive(struct router *router)
{
    struct bench_loader *loader = router->loader;
    ssize_t n = recv(router->fd, loader->input, sizeof(loader->input), 0);

    if (n > 0)
        take_bytes(router, loader->input, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        lost(router, n == 0 ? 0 : errno);
}

/* --- Turns ------------------------------------------------------------------------------------ */

static void handle(struct router *router, uint32_t events)
{
    if (router->fd >= 0 && router->connecting)
        settle_connect(router);
    else if (router->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(router);
    if (router->fd >= 0 && events & EPOLLOUT && !router->connecting)
        router->output_wanted = true;
}

static void work(struct router *router)
{
    if (router->dead)
        return;
    if (bgp_session_deadline(router->session) <= now_ms())
        bgp_session_tick(router->session, now_ms());
    if (router->connect_wanted)
        connect_out(router);
    if (router->fd >= 0 && router->output_wanted && !router->connecting)
        send_output(router);
    if (router->close_wanted)
        disconnect(router);
}

void bench_loader_turn(struct bench_loader *loader, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(loader->poll, events, EVENTS_MAX, wait_ms);

    for (int i = 0; i < n; i++)
        handle(events[i].data.ptr, events[i].events);
    for (unsigned i = 0; i < loader->config.routers; i++)
        work(&loader->routers[i]);
}

void bench_loader_send(struct bench_loader *loader, unsigned i, const struct bench_stream *stream)
{
    struct router *router = &loader->routers[i];

    router->stream = stream;
    router->stream_at = 0;
    bgp_session_updates_pending(router->session);
}

void bench_loader_kill(struct bench_loader *loader, unsigned i)
{
    loader->routers[i].dead = true;
    disconnect(&loader->routers[i]);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int open_router(struct bench_loader *loader, unsigned i)
{
    struct router *router = &loader->routers[i];
    const struct bgp_session_config config = {
        .local_asn = BENCH_LOADER_ASN(i),
        .peer_asn = loader->config.speaker_asn,
        .identifier = BENCH_NETNS_PEER(i),
        .hold_time_s = HOLD_TIME_S,
        .connect_retry_s = 1,
        .idle_hold_ms = 100,
        .idle_hold_max_ms = 1000,
        .families = BGP_FAMILY_BIT(BGP_IPV4_UNICAST),
        .seed = i,
        .attributes = loader->attributes,
    };
    const struct bgp_session_handler handler = {
        .context = router,
        .state_changed = on_state,
        .fill_updates = on_fill,
        .connect = on_connect,
        .close = on_close,
        .output_ready = on_output_ready,
    };

    router->output = malloc(OUTPUT_SIZE);
    if (!router->output)
        return -ENOMEM;
    if (i >= loader->config.routers - loader->config.receivers) {
        router->tally = bench_tally_create(loader->config.load, loader->memo);
        if (!router->tally)
            return -ENOMEM;
    }
    return bgp_session_create(&config, &handler, &router->session);
}

struct bench_loader *bench_loader_create(const struct bench_loader_config *config)
{
    struct bench_loader *loader = calloc(1, sizeof(*loader));
    int result = 0;

    if (!loader)
        return NULL;
    loader->config = *config;
    loader->poll = epoll_create1(EPOLL_CLOEXEC);
    loader->attributes = bgp_attribute_table_create();
    loader->memo = bench_memo_create();
    loader->routers = calloc(config->routers, sizeof(*loader->routers));
    if (loader->poll < 0 || !loader->attributes || !loader->memo || !loader->routers)
        result = -ENOMEM;
    for (unsigned i = 0; loader->routers && i < config->routers; i++) {
        loader->routers[i].loader = loader;
        loader->routers[i].number = i;
        loader->routers[i].fd = -1;
    }
    for (unsigned i = 0; i < config->routers && result == 0; i++) {
        result = open_router(loader, i);
        if (result == 0)
            bgp_session_start(loader->routers[i].session, now_ms());
    }
    if (result == 0)
        return loader;
    bench_loader_destroy(loader);
    errno = -result;
    return NULL;
}

void bench_loader_destroy(struct bench_loader *loader)
{
    if (!loader)
        return;
    for (unsigned i = 0; loader->routers && i < loader->config.routers; i++) {
        struct router *router = &loader->routers[i];

        disconnect(router);
        bgp_session_destroy(router->session);
        bench_tally_destroy(router->tally);
        free(router->output);
    }
    free(loader->routers);
    bench_memo_destroy(loader->memo);
    if (loader->attributes)
        bgp_attribute_table_destroy(loader->attributes);
    if (loader->poll >= 0)
        close(loader->poll);
    free(loader);
}

/* --- Questions -------------------------------------------------------------------------------- */

bool bench_loader_established(const struct bench_loader *loader)
{
    for (unsigned i = 0; i < loader->config.routers; i++)
        if (!loader->routers[i].dead &&
            bgp_session_state(loader->routers[i].session) != BGP_ESTABLISHED)
            return false;
    return true;
}

bool bench_loader_broken(const struct bench_loader *loader)
{
    return loader->broken;
}

const char *bench_loader_reason(const struct bench_loader *loader)
{
    return loader->reason;
}

static size_t least(const struct bench_loader *loader,
                    size_t (*count)(const struct bench_tally *tally))
{
    size_t result = SIZE_MAX;

    for (unsigned i = 0; i < loader->config.routers; i++)
        if (loader->routers[i].tally && count(loader->routers[i].tally) < result)
            result = count(loader->routers[i].tally);
    return result;
}

static size_t held(const struct bench_tally *tally)
{
    return tally->held;
}

static size_t fresh(const struct bench_tally *tally)
{
    return tally->fresh;
}

static size_t sentinels(const struct bench_tally *tally)
{
    return tally->sentinels;
}

size_t bench_loader_held(const struct bench_loader *loader)
{
    return least(loader, held);
}

size_t bench_loader_fresh(const struct bench_loader *loader)
{
    return least(loader, fresh);
}

unsigned bench_loader_sentinels(const struct bench_loader *loader)
{
    return (unsigned)least(loader, sentinels);
}

size_t bench_loader_most(const struct bench_loader *loader)
{
    size_t most = 0;

    for (unsigned i = 0; i < loader->config.routers; i++)
        if (loader->routers[i].tally && loader->routers[i].tally->held > most)
            most = loader->routers[i].tally->held;
    return most;
}

uint64_t bench_loader_changed_ns(const struct bench_loader *loader)
{
    uint64_t last = 0;

    for (unsigned i = 0; i < loader->config.routers; i++)
        if (loader->routers[i].tally && loader->routers[i].tally->changed_ns > last)
            last = loader->routers[i].tally->changed_ns;
    return last;
}

size_t bench_loader_wrong(const struct bench_loader *loader)
{
    size_t wrong = 0;

    for (unsigned i = 0; i < loader->config.routers; i++)
        if (loader->routers[i].tally)
            wrong += loader->routers[i].tally->wrong;
    return wrong;
}

void bench_loader_forget_fresh(struct bench_loader *loader)
{
    for (unsigned i = 0; i < loader->config.routers; i++)
        if (loader->routers[i].tally)
            bench_tally_forget_fresh(loader->routers[i].tally);
}
