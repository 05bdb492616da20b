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
#include "engine/live/descriptors.h"
#include "engine/live/stream.h"

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
    bool closing;
    struct live_stream *stream; /* that its answer comes from; NULL: none is being given */
    bool writing, waiting;      /* for the client to take a piece; for the stream to have one */
    bool last;                  /* piece of this answer */
    struct live_text text;      /* the piece */
    struct live_descriptors descriptors; /* that came with the line */
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
    live_text_free(&client->text);
    live_descriptors_forget(&client->descriptors);
    free(client);
}

static void end_stream(struct client *client)
{
    if (client->stream)
        client->stream->end(client->stream);
    client->stream = NULL;
}

static void drop(struct client *client)
{
    if (client->closing)
        return;
    client->closing = true;
    client->live->control->clients--;
    end_stream(client);
    uv_close((uv_handle_t *)&client->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&client->patience, on_handle_closed);
}

static void on_impatient(uv_timer_t *timer)
{
    drop(timer->data);
}

static void be_patient(struct client *client)
{
    uv_timer_start(&client->patience, on_impatient, PATIENCE_MS, 0);
}

static void take_lines(struct client *client);
static void go_on(struct client *client);

static void on_written(uv_write_t *request, int status)
{
    struct client *client = request->data;
    client->writing = false;
    client->text.n = 0;
    if (status < 0)
        drop(client);
    if (client->closing)
        return;
    if (!client->last) {
        go_on(client);
        return;
    }
    /* What a long answer took is not kept for the next. */
    live_text_free(&client->text);
    take_lines(client);
}

/* Without memory for an answer there is none: the client sees the end. */
static void write_piece(struct client *client)
{
    uv_buf_t buffer = uv_buf_init(client->text.bytes, (unsigned)client->text.n);
    if (client->text.failed) {
        drop(client);
        return;
    }
    client->writing = true;
    be_patient(client);
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buffer, 1, on_written) != 0)
        drop(client);
}

static void reply(struct client *client, json_t *document)
{
    client->last = true;
    live_text_json(&client->text, document);
    live_text_add(&client->text, "\n", 1);
    write_piece(client);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct client *client = handle->data;
    (void)wanted;
    *buffer = uv_buf_init(client->line + client->used, (unsigned)(LINE_MOST - client->used));
}

/* It still gets what is left of its answer, if it is there to take it. false: nobody wants the end. */
static bool interrupt(struct client *client)
{
    if (!client->stream || !client->stream->interrupt)
        return false;
    client->stream->interrupt(client->stream);
    return true;
}

/* What comes while an answer is waited for is kept for later; its end is what tells of a client that has
 * gone. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *client = stream->data;
    (void)buffer;
    if (n == UV_EOF && interrupt(client)) {
        uv_read_stop(stream);
        return;
    }
    if (n < 0 || live_descriptors_receive(&client->descriptors, &client->pipe)) {
        drop(client); /* UV_ENOBUFS too: a line that is too long */
        return;
    }
    client->used += (size_t)n;
    if (!client->stream)
        take_lines(client);
    else if (n > 0)
        interrupt(client);
}

static void on_again(uv_timer_t *timer)
{
    go_on(timer->data);
}

/* Also where it does already. */
static void listen_on(struct client *client)
{
    uv_read_stop((uv_stream_t *)&client->pipe);
    if (uv_read_start((uv_stream_t *)&client->pipe, on_room, on_read))
        drop(client);
}

/* One piece; what is waited for costs the client no patience. */
static void go_on(struct client *client)
{
    enum live_stream_state state = client->stream->next(client->stream, &client->text);
    client->waiting = state == LIVE_STREAM_WAITS;
    client->last = state == LIVE_STREAM_OVER;
    if (client->last)
        end_stream(client);
    if (client->text.n > 0 || client->text.failed) {
        uv_read_stop((uv_stream_t *)&client->pipe);
        write_piece(client);
    } else if (client->waiting) {
        uv_timer_stop(&client->patience);
        listen_on(client);
    } else if (client->last) {
        drop(client); /* an answer without an end */
    } else {
        /* Others first: a timer that is due at once would be called again in the same turn. */
        uv_timer_start(&client->patience, on_again, 1, 0);
    }
}

static void on_wake(struct live_stream *stream)
{
    struct client *client = stream->client;
    if (!client->waiting || client->writing)
        return;
    client->waiting = false;
    go_on(client);
}

/* Answers the first whole line; what stands behind it waits until the answer has gone. */
static void take_lines(struct client *client)
{
    char *end = memchr(client->line, '\n', client->used);
    if (!end) {
        if (client->used < LINE_MOST)
            listen_on(client);
        else
            drop(client);
        return;
    }
    uv_read_stop((uv_stream_t *)&client->pipe);
    json_t *document = live_control_perform(client->live, client->line,
                                            (size_t)(end - client->line),
                                            &client->descriptors, &client->stream);
    live_descriptors_forget(&client->descriptors);
    client->used -= (size_t)(end + 1 - client->line);
    memmove(client->line, end + 1, client->used);
    if (!client->stream) {
        reply(client, document);
        return;
    }
    client->stream->client = client;
    client->stream->wake = on_wake;
    go_on(client);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct live *live = listener->data;
    struct client *client = status == 0 ? calloc(1, sizeof(*client)) : NULL;
    if (!client)
        return;
    client->live = live;
    client->pipe.data = client->patience.data = client->write.data = client;
    client->descriptors.first = -1;
    uv_pipe_init(&live->loop, &client->pipe, 1);
    uv_timer_init(&live->loop, &client->patience);
    client->open_handles = 2;
    live->control->clients++;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 ||
        live->control->clients > CLIENTS_MOST) {
        drop(client);
        return;
    }
    be_patient(client);
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
