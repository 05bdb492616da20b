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

int cli_connect(const struct cli_command *command, const char *path)
{
    path = path ? path : SOCKET_DEFAULT;
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

static bool send_line(int fd, const json_t *request)
{
    char *line = json_dumps(request, JSON_COMPACT);
    size_t n = line ? strlen(line) : 0;
    if (line)
        line[n] = '\n'; /* in place of the end: it is not a text any more */
    bool sent = line && send(fd, line, n + 1, MSG_NOSIGNAL) == (ssize_t)(n + 1);
    free(line);
    return sent;
}

/* The engine's line, as an object; NULL when it gave none. */
static json_t *converse(int fd, const json_t *request)
{
    return send_line(fd, request) ? json_load_callback(read_some, &fd, JSON_DISABLE_EOF_CHECK, NULL)
                                  : NULL;
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

static void wait_for_ever(int fd)
{
    const struct timeval patient = {0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof(patient));
}

static json_t *ask(const struct cli_command *command, const char *path, json_t *request,
                   bool for_ever)
{
    int fd = cli_connect(command, path);
    if (fd >= 0 && for_ever)
        wait_for_ever(fd);
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

json_t *cli_ask(const struct cli_command *command, const char *path, json_t *request)
{
    return ask(command, path, request, false);
}

json_t *cli_ask_and_wait(const struct cli_command *command, const char *path, json_t *request)
{
    return ask(command, path, request, true);
}

/* One line; *going: whether there is to be another. */
static int take_line(const struct cli_command *command, const char *line, size_t n,
                     bool (*take)(void *context, const json_t *answer), void *context, bool *going)
{
    json_t *reply = json_loadb(line, n, 0, NULL);
    const json_t *answer = json_object_get(reply, "answer");
    const char *error = json_string_value(json_object_get(reply, "error"));
    int code = CLI_FINE;
    *going = answer && take(context, answer);
    if (!answer)
        code = cli_error(command, "%s", error ? error : "the engine's answer is no JSON");
    json_decref(reply);
    return code;
}

int cli_follow(const struct cli_command *command, const char *path, json_t *request,
               bool (*take)(void *context, const json_t *answer), void *context)
{
    int fd = cli_connect(command, path), code = CLI_BAD_USE;
    bool going = fd >= 0 && send_line(fd, request);
    FILE *answers = fd >= 0 ? fdopen(fd, "r") : NULL;
    char *line = NULL;
    size_t room = 0;
    json_decref(request);
    if (fd >= 0)
        wait_for_ever(fd);
    while (answers && going) {
        ssize_t n = getline(&line, &room, answers);
        if (n < 0) {
            cli_error(command, "the engine has ended the answer");
            code = CLI_FOUND;
            break;
        }
        code = take_line(command, line, (size_t)n, take, context, &going);
    }
    free(line);
    if (answers)
        fclose(answers);
    else if (fd >= 0)
        close(fd);
    return code;
}

const char *ask_text(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

long long ask_count(const json_t *row, const char *key)
{
    return (long long)json_integer_value(json_object_get(row, key));
}
