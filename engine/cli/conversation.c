/*
 * The end is asked for by closing our side of the connection: that needs no words, and happens by itself when
 * this process dies.
 */
#include "engine/cli/conversation.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/cli/ask.h"

#define PIECE     4096u
#define LINE_MOST (1u << 20)

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* Blocked but for while we wait, so that none comes between the look at `interrupted` and the wait. */
static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The descriptor goes with the first octet. */
static bool say(int fd, char *line, size_t n, int descriptor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec bytes = {.iov_base = line, .iov_len = n};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)n;
}

bool cli_conversation_open(struct cli_conversation *conversation, const struct cli_command *command,
                           const char *path, json_t *request, int descriptor)
{
    *conversation = (struct cli_conversation){.fd = cli_connect(command, path)};
    char *line = json_dumps(request, JSON_COMPACT);
    size_t n = line ? strlen(line) : 0;
    json_decref(request);
    if (line)
        line[n] = '\n'; /* in place of the end: it is not a text any more */
    bool good = line && conversation->fd >= 0;
    /* First: what the engine does with the request, others may see, and send a signal. */
    if (good)
        take_signals();
    if (good && !say(conversation->fd, line, n + 1, descriptor)) {
        cli_error(command, "the engine takes no request: %s", strerror(errno));
        good = false;
    }
    free(line);
    if (!good)
        cli_conversation_close(conversation);
    return good;
}

/* The first whole line that was read, as an object; NULL: there is none yet. */
static json_t *take_line(struct cli_conversation *conversation)
{
    char *end = conversation->n > 0 ? memchr(conversation->bytes, '\n', conversation->n) : NULL;
    if (!end)
        return NULL;
    size_t n = (size_t)(end + 1 - conversation->bytes);
    json_t *line = json_loadb(conversation->bytes, n, 0, NULL);
    conversation->n -= n;
    memmove(conversation->bytes, end + 1, conversation->n);
    return line ? line : json_object();
}

/* false: the end, or a line without one. */
static bool read_more(struct cli_conversation *conversation)
{
    if (conversation->room - conversation->n < PIECE) {
        size_t room = conversation->room + 4 * (size_t)PIECE;
        char *grown = room <= LINE_MOST ? realloc(conversation->bytes, room) : NULL;
        if (!grown)
            return false;
        conversation->bytes = grown;
        conversation->room = room;
    }
    ssize_t n = recv(conversation->fd, conversation->bytes + conversation->n, PIECE, 0);
    if (n > 0)
        conversation->n += (size_t)n;
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Returns whether there is something to read. */
static bool wait_for(struct cli_conversation *conversation, int timeout_ms)
{
    const struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    struct pollfd descriptor = {.fd = conversation->fd, .events = POLLIN};
    sigset_t none;
    sigemptyset(&none);
    int n = ppoll(&descriptor, 1, timeout_ms < 0 ? NULL : &timeout, &none);
    if (interrupted)
        cli_conversation_end(conversation);
    return n > 0;
}

json_t *cli_conversation_hear(struct cli_conversation *conversation,
                              const struct cli_command *command, int timeout_ms, bool *over)
{
    json_t *line = take_line(conversation);
    *over = false;
    while (!line && !*over) {
        if (!wait_for(conversation, timeout_ms))
            return NULL;
        *over = !read_more(conversation);
        line = *over ? NULL : take_line(conversation);
    }
    json_t *answer = json_incref(json_object_get(line, "answer"));
    const char *error = json_string_value(json_object_get(line, "error"));
    if (!answer) {
        *over = true;
        cli_error(command, "%s", error ? error : "the engine has gone");
    }
    json_decref(line);
    return answer;
}

void cli_conversation_end(struct cli_conversation *conversation)
{
    if (!conversation->ending)
        shutdown(conversation->fd, SHUT_WR);
    conversation->ending = true;
}

void cli_conversation_close(struct cli_conversation *conversation)
{
    if (conversation->fd >= 0)
        close(conversation->fd);
    free(conversation->bytes);
    conversation->bytes = NULL;
    conversation->fd = -1;
}
