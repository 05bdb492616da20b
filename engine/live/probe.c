/*
 *   live_probes ─┬─ timer        when probes_tick() is wanted next
 *                └─ attempts[]   by target: the probe that is under way, or NULL
 *
 * An attempt owns a socket and lives until libuv has let go of it, which is later than its answer;
 * by then the next one may be under way.
 */
#include "engine/live/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/live/echo.h"
#include "engine/live/log.h"
#include "engine/live/socket_address.h"

struct attempt {
    struct live_probes *probes;
    uv_poll_t poll;
    struct probe_order order;
    struct live_echo echo; /* of a TCP attempt only fd is used */
};

struct live_probes {
    struct live *live;
    uv_timer_t timer;
    struct attempt **attempts;
    size_t count, room; /* of targets; of attempts[] */
    uint16_t identifier;
    bool cannot_told; /* that a probe could not be sent: once until one could */
};

static struct probes *machine(const struct live_probes *probes)
{
    return controller_probes(probes->live->plane.controller);
}

/* --- Attempts --------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* The descriptor is closed after libuv stopped to look at it. */
static void drop(struct live_probes *probes, uint32_t target)
{
    struct attempt *attempt = probes->attempts[target];
    if (!attempt)
        return;
    probes->attempts[target] = NULL;
    uv_poll_stop(&attempt->poll);
    close(attempt->echo.fd);
    uv_close((uv_handle_t *)&attempt->poll, on_closed);
}

static void conclude(struct attempt *attempt, bool answered)
{
    struct live_probes *probes = attempt->probes;
    const struct probe_order order = attempt->order;
    drop(probes, order.target);
    probes_result(machine(probes), order.target, order.sequence, answered, live_now());
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    (void)events;
    if (attempt->order.tcp)
        conclude(attempt, status == 0 && live_socket_error(attempt->echo.fd) == 0);
    else if (status == 0 && live_echo_answered(&attempt->echo))
        conclude(attempt, true);
}

static int connect_to(struct attempt *attempt)
{
    struct live_endpoint remote = {.address = attempt->order.address, .port = attempt->order.port};
    union socket_address to;
    socklen_t length = live_to_socket_address(&remote, &to);
    attempt->echo.fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->echo.fd < 0)
        return -errno;
    if (connect(attempt->echo.fd, &to.any, length) == 0 || errno == EINPROGRESS)
        return 0;
    int error = -errno;
    close(attempt->echo.fd);
    return error;
}

static int ask(struct attempt *attempt)
{
    const struct probe_order *order = &attempt->order;
    if (order->tcp)
        return connect_to(attempt);
    int error = live_echo_open(&attempt->echo, &order->address);
    if (error)
        return error;
    error = live_echo_send(&attempt->echo, attempt->probes->identifier, (uint16_t)order->sequence);
    if (error)
        close(attempt->echo.fd);
    return error;
}

static int begin(struct live_probes *probes, const struct probe_order *order)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    if (!attempt)
        return -ENOMEM;
    attempt->probes = probes;
    attempt->order = *order;
    int error = ask(attempt);
    if (!error) {
        error = uv_poll_init(&probes->live->loop, &attempt->poll, attempt->echo.fd);
        if (error)
            close(attempt->echo.fd);
    }
    if (error) {
        free(attempt);
        return error;
    }
    attempt->poll.data = attempt;
    probes->attempts[order->target] = attempt;
    uv_poll_start(&attempt->poll, order->tcp ? UV_WRITABLE : UV_READABLE, on_ready);
    return 0;
}

/* What lies at this host says nothing of the backend; a network or host that is not reached does. */
static bool is_own_fault(int error)
{
    return error != -ENETUNREACH && error != -EHOSTUNREACH && error != -ECONNREFUSED &&
           error != -ETIMEDOUT && error != -EHOSTDOWN && error != -ENETDOWN;
}

static void send_one(struct live_probes *probes, const struct probe_order *order)
{
    drop(probes, order->target);
    int error = begin(probes, order);
    if (!error) {
        probes->cannot_told = false;
        return;
    }
    if (!is_own_fault(error)) {
        probes_result(machine(probes), order->target, order->sequence, false, live_now());
        return;
    }
    if (!probes->cannot_told)
        live_log("a health probe cannot be sent, backends stay as they are: %s", strerror(-error));
    probes->cannot_told = true;
    probes_skip(machine(probes), order->target, order->sequence);
}

static void on_timer(uv_timer_t *timer)
{
    struct live_probes *probes = timer->data;
    struct probe_order order;
    uint64_t now_ms = live_now();
    probes_tick(machine(probes), now_ms);
    while (probes_next(machine(probes), now_ms, &order))
        send_one(probes, &order);
}

void live_probes_settle(struct live *live)
{
    if (!live->probes || live->stopping)
        return;
    uint64_t now_ms = live_now(), due_ms = probes_deadline(machine(live->probes));
    if (due_ms == UINT64_MAX) {
        uv_timer_stop(&live->probes->timer);
        return;
    }
    uv_update_time(&live->loop);
    uv_timer_start(&live->probes->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void on_backend_changed(void *context, uint32_t balancer, uint32_t nic, bool up)
{
    const struct live *live = context;
    live_log("load balancer %s: backend %s is %s", live->fabric->load_balancers[balancer].name,
             live->fabric->nics[nic].name, up ? "up" : "down");
}

void live_probes_shell(struct controller_shell *shell)
{
    shell->backend_changed = on_backend_changed;
}

/* One of each family that is asked for: without the right to send, every backend would look dead. */
static int try_echo(const struct fabric *fabric, char error[DP_ERROR_TEXT])
{
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++) {
        const struct fabric_load_balancer *balancer = &fabric->load_balancers[i];
        const struct lpm_address local = {.family = balancer->frontend.family,
                                          .bytes = {balancer->frontend.family == LPM_IPV4 ? 127 : 0,
                                                    [3] = balancer->frontend.family == LPM_IPV4,
                                                    [15] = balancer->frontend.family == LPM_IPV6}};
        struct live_echo echo;
        if (balancer->probe_tcp)
            continue;
        int failed = live_echo_open(&echo, &local);
        if (failed == -EPERM || failed == -EACCES) {
            snprintf(error, DP_ERROR_TEXT,
                     "%s:%u: load_balancers[%s].probe: ICMP echoes need CAP_NET_RAW; run as root, "
                     "or probe with protocol: Tcp",
                     balancer->place.file, balancer->place.line, balancer->name);
            return failed;
        }
        if (!failed)
            close(echo.fd);
    }
    return 0;
}

static size_t count_targets(const struct fabric *fabric)
{
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        n += fabric->load_balancers[i].backend_count;
    return n;
}

int live_probes_prepare(struct live *live, const struct fabric *fabric, char error[DP_ERROR_TEXT])
{
    struct live_probes *probes = live->probes;
    const size_t wanted = count_targets(fabric) + 1;
    int failed = try_echo(fabric, error);
    if (failed || wanted <= probes->room)
        return failed;
    void *grown = realloc(probes->attempts, wanted * sizeof(*probes->attempts));
    if (!grown)
        return -ENOMEM;
    probes->attempts = grown;
    memset(probes->attempts + probes->room, 0, (wanted - probes->room) * sizeof(*probes->attempts));
    probes->room = wanted;
    return 0;
}

int live_probes_open(struct live *live, char error[DP_ERROR_TEXT])
{
    struct live_probes *probes = calloc(1, sizeof(*probes));
    if (!probes)
        return -ENOMEM;
    live->probes = probes;
    probes->live = live;
    probes->identifier = (uint16_t)getpid();
    int failed = live_probes_prepare(live, live->fabric, error);
    if (failed)
        return failed;
    probes->count = count_targets(live->fabric);
    uv_timer_init(&live->loop, &probes->timer);
    probes->timer.data = probes;
    return 0;
}

void live_probes_close(struct live *live)
{
    for (size_t i = 0; live->probes && i < live->probes->count; i++)
        drop(live->probes, (uint32_t)i);
}

void live_probes_follow(struct live *live)
{
    live_probes_close(live);
    live->probes->count = count_targets(live->fabric);
}

void live_probes_free(struct live *live)
{
    if (!live->probes)
        return;
    free(live->probes->attempts);
    free(live->probes);
}
