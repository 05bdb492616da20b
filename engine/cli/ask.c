/* See ask.h. */
#include "engine/cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/cli/source.h"

#define SOCKET_DEFAULT "/run/fingerpost.sock"
#define PATIENCE_S     60

static int connect_to(const struct cli_command *command, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    if (strlen(path) >= sizeof(address.sun_path)) {
        cli_error(command, "--socket: '%s' is longer than a socket's name may be", path);
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return fd;
    }
    cli_error(command,
              "%s: %s; is an engine running whose file has engine.control_socket, and is it yours?",
              path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* As much as is there: jansson's own reader takes one octet at a time. */
static size_t read_some(void *bytes, size_t n, void *context)
{
    ssize_t got;
    do {
        got = recv(*(int *)context, bytes, n, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? (size_t)-1 : (size_t)got;
}

/* The engine's line, as an object; NULL when it gave none. */
static json_t *converse(int fd, const json_t *request)
{
    char *line = json_dumps(request, JSON_COMPACT);
    size_t n = line ? strlen(line) : 0;
    json_t *answer = NULL;
    if (line)
        line[n] = '\n'; /* in place of the end: it is not a text any more */
    if (line && send(fd, line, n + 1, MSG_NOSIGNAL) == (ssize_t)(n + 1))
        answer = json_load_callback(read_some, &fd, JSON_DISABLE_EOF_CHECK, NULL);
    free(line);
    return answer;
}

/* What is wrong in a file, line by line. */
static void say_errors(const json_t *errors)
{
    size_t i;
    json_t *row;
    json_array_foreach(errors, i, row)
    {
        const char *file = json_string_value(json_object_get(row, "file"));
        const char *message = json_string_value(json_object_get(row, "message"));
        source_say(stderr, file ? file : "",
                   (unsigned)json_integer_value(json_object_get(row, "line")), "",
                   message ? message : "");
    }
}

json_t *cli_ask(const struct cli_command *command, const char *path, json_t *request)
{
    int fd = connect_to(command, path ? path : SOCKET_DEFAULT);
    json_t *reply = fd >= 0 ? converse(fd, request) : NULL;
    json_t *answer = json_incref(json_object_get(reply, "answer"));
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !answer) {
        say_errors(json_object_get(reply, "errors"));
        cli_error(command, "%s", error ? error : "the engine gave no answer");
    }
    json_decref(request);
    json_decref(reply);
    return answer;
}
