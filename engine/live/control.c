/* See control.h. */
#include "engine/live/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/live/control_request.h"
#include "engine/live/log.h"

#define CLIENTS_MOST 16u
#define LINE_MOST    4096u
#define BACKLOG      16
/* From one line to the next, and for an answer to be taken. */
#define PATIENCE_MS 30000u

struct client {
    uv_pipe_t pipe; /* first: the handle is the client for uv_close() */
    uv_timer_t patience;
    uv_write_t write;
    struct live *live;
    unsigned open_handles;
    bool answering, closing;
    char *answer;
    size_t used;
    char line[LINE_MOST];
};

struct live_control {
    uv_pipe_t listener;
    bool listening;
    unsigned clients;
    const char *path;
};

/* --- Clients ---------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    if (--client->open_handles > 0)
        return;
    free(client->answer);
    free(client);
}

static void drop(struct client *client)
{
    if (client->closing)
        return;
    client->closing = true;
    client->live->control->clients--;
    uv_close((uv_handle_t *)&client->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&client->patience, on_handle_closed);
}

static void on_impatient(uv_timer_t *timer)
{
    drop(timer->data);
}

static void take_lines(struct client *client);

static void on_written(uv_write_t *request, int status)
{
    struct client *client = request->data;
    free(client->answer);
    client->answer = NULL;
    client->answering = false;
    if (status < 0)
        drop(client);
    else if (!client->closing)
        take_lines(client);
}

/* Without memory for an answer there is none: the client sees the end. */
static void reply(struct client *client, json_t *document)
{
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;
    size_t n = text ? strlen(text) : 0;
    json_decref(document);
    client->answer = text ? realloc(text, n + 2) : NULL;
    if (!client->answer) {
        free(text);
        drop(client);
        return;
    }
    memcpy(client->answer + n, "\n", 2);
    uv_buf_t buffer = uv_buf_init(client->answer, (unsigned)n + 1);
    client->answering = true;
    uv_timer_start(&client->patience, on_impatient, PATIENCE_MS, 0);
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buffer, 1, on_written) != 0)
        drop(client);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct client *client = handle->data;
    (void)wanted;
    *buffer = uv_buf_init(client->line + client->used, (unsigned)(LINE_MOST - client->used));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *client = stream->data;
    (void)buffer;
    if (n < 0) {
        drop(client); /* UV_ENOBUFS too: a line that is too long */
        return;
    }
    client->used += (size_t)n;
    take_lines(client);
}

/* Answers the first whole line; what stands behind it waits until the answer has gone. */
static void take_lines(struct client *client)
{
    char *end = memchr(client->line, '\n', client->used);
    if (!end) {
        if (client->used == LINE_MOST ||
            uv_read_start((uv_stream_t *)&client->pipe, on_room, on_read))
            drop(client);
        return;
    }
    uv_read_stop((uv_stream_t *)&client->pipe);
    json_t *document =
        live_control_perform(client->live, client->line, (size_t)(end - client->line));
    client->used -= (size_t)(end + 1 - client->line);
    memmove(client->line, end + 1, client->used);
    reply(client, document);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct live *live = listener->data;
    struct client *client = status == 0 ? calloc(1, sizeof(*client)) : NULL;
    if (!client)
        return;
    client->live = live;
    client->pipe.data = client->patience.data = client->write.data = client;
    uv_pipe_init(&live->loop, &client->pipe, 0);
    uv_timer_init(&live->loop, &client->patience);
    client->open_handles = 2;
    live->control->clients++;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 ||
        live->control->clients > CLIENTS_MOST) {
        drop(client);
        return;
    }
    uv_timer_start(&client->patience, on_impatient, PATIENCE_MS, 0);
    take_lines(client);
}

/* --- The socket ------------------------------------------------------------------------------- */

/* An engine that died leaves its socket behind; one that lives answers. */
static int clear_the_way(const struct sockaddr_un *address)
{
    struct stat about;
    if (lstat(address->sun_path, &about) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(about.st_mode))
        return -EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    close(fd);
    if (error != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(address->sun_path) == 0 ? 0 : -errno;
}

/* The mode is right from the first moment on: nobody else can connect in between. */
static int listen_at(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    mode_t before = umask(0177);
    int error = bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : -errno;
    umask(before);
    if (!error)
        return fd;
    close(fd);
    return error;
}

static int make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int error = clear_the_way(&address);
    return error ? error : listen_at(&address);
}

int live_control_open(struct live *live, char *error, size_t size)
{
    const char *path = live->fabric->engine.control_socket;
    if (!path)
        return 0;
    live->control = calloc(1, sizeof(*live->control));
    if (!live->control)
        return -ENOMEM;
    int fd = make_socket(path);
    if (fd < 0) {
        snprintf(error, size, "engine.control_socket: %s: %s", path,
                 fd == -EADDRINUSE ? "another engine listens there"
                 : fd == -EEXIST   ? "is there already and no socket"
                                   : strerror(-fd));
        return fd;
    }
    live->control->path = path;
    uv_pipe_init(&live->loop, &live->control->listener, 0);
    live->control->listener.data = live;
    live->control->listening = true;
    int status = uv_pipe_open(&live->control->listener, fd);
    if (!status)
        status = uv_listen((uv_stream_t *)&live->control->listener, BACKLOG, on_connection);
    if (status)
        snprintf(error, size, "engine.control_socket: %s: %s", path, uv_strerror(status));
    return status;
}

static void drop_client(uv_handle_t *handle, void *context)
{
    if (handle->type == UV_NAMED_PIPE && handle != context && !uv_is_closing(handle))
        drop(handle->data);
}

void live_control_close(struct live *live)
{
    struct live_control *control = live->control;
    if (!control || !control->listening)
        return;
    control->listening = false;
    unlink(control->path);
    uv_walk(&live->loop, drop_client, &control->listener);
    uv_close((uv_handle_t *)&control->listener, NULL);
}

void live_control_free(struct live *live)
{
    free(live->control);
    live->control = NULL;
}
