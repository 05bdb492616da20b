/*
 * fingerpost capture: packets of a running engine to a file. The file is opened here, with the rights of who asks,
 * and written by the engine, which gets the descriptor (engine/live/control_capture.h).
 *
 * Standard output may be a pipe, which could block the engine: it writes to memory then (memfd_create(2)), and what
 * comes there is carried on from here, and given back behind us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cli/command.h"
#include "engine/cli/conversation.h"
#include "engine/cli/report.h"

#define CARRY_MS    50
#define CARRY_BYTES 65536u
#define HOLE_BYTES  (1 << 20)

struct capture {
    const char *nic, *reason, *direction, *count, *seconds, *snap_bytes, *out, *socket;
    bool json;
    int file;
    bool made;      /* the file is new */
    bool to_stdout; /* file is memory: what is in it goes on */
    off_t carried, given_back;
    struct cli_conversation conversation;
};

/* --- The file --------------------------------------------------------------------------------- */

static bool open_memory(struct capture *capture)
{
    capture->to_stdout = true;
    if (isatty(STDOUT_FILENO)) {
        cli_error(&cli_capture, "--out -: standard output is a terminal; pipe it into something");
        return false;
    }
    capture->file = memfd_create("capture", MFD_CLOEXEC);
    if (capture->file < 0)
        cli_error(&cli_capture, "--out -: %s", strerror(errno));
    return capture->file >= 0;
}

/* A device or a pipe of that name is left alone; O_NONBLOCK: opening one does not wait for its other end. A file
 * that is there loses what it had only once the engine has taken the request. */
static bool open_file(struct capture *capture)
{
    struct stat about;
    const char *path = capture->out;
    if (strcmp(path, "-") == 0)
        return open_memory(capture);
    capture->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    capture->made = capture->file >= 0;
    if (capture->file < 0 && errno == EEXIST)
        capture->file = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (capture->file < 0 || fstat(capture->file, &about) != 0) {
        cli_error(&cli_capture, "--out: %s: %s", path, strerror(errno));
        return false;
    }
    if (S_ISREG(about.st_mode))
        return true;
    cli_error(&cli_capture, "--out: %s is no regular file; '-' is standard output", path);
    return false;
}

static void close_file(struct capture *capture, bool refused)
{
    if (capture->file >= 0)
        close(capture->file);
    if (refused && capture->made)
        unlink(capture->out);
}

/* What is new goes on to standard output, and its memory back. false: nobody reads there any more. */
static bool carry(struct capture *capture)
{
    char bytes[CARRY_BYTES];
    ssize_t n;
    while ((n = pread(capture->file, bytes, sizeof(bytes), capture->carried)) > 0) {
        if (fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n)
            return false;
        capture->carried += n;
        if (capture->carried - capture->given_back < HOLE_BYTES)
            continue;
        if (fallocate(capture->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      capture->given_back, capture->carried - capture->given_back) == 0)
            capture->given_back = capture->carried;
    }
    return fflush(stdout) == 0;
}

/* --- The request ------------------------------------------------------------------------------ */

static bool set_number(json_t *request, const char *key, const char *option, const char *text)
{
    char *end = NULL;
    if (!text)
        return true;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value > 0) {
        json_object_set_new(request, key, json_integer(value));
        return true;
    }
    cli_error(&cli_capture, "--%s: '%s' is not a number from 1 on", option, text);
    return false;
}

static void set_text(json_t *request, const char *key, const char *text)
{
    if (text)
        json_object_set_new(request, key, json_string(text));
}

/* NULL after an error that was said. */
static json_t *request_of(const struct capture *capture)
{
    json_t *request = json_pack("{s:s}", "command", "capture");
    set_text(request, "nic", capture->nic);
    set_text(request, "reason", capture->reason);
    set_text(request, "direction", capture->direction);
    if (set_number(request, "count", "count", capture->count) &&
        set_number(request, "seconds", "seconds", capture->seconds) &&
        set_number(request, "snap_bytes", "snaplen", capture->snap_bytes))
        return request;
    json_decref(request);
    return NULL;
}

/* --- The capture ------------------------------------------------------------------------------ */

static json_t *wait_for_end(struct capture *capture)
{
    json_t *answer = NULL;
    bool over = false;
    while (!answer && !over) {
        answer = cli_conversation_hear(&capture->conversation, &cli_capture,
                                       capture->to_stdout ? CARRY_MS : -1, &over);
        if (capture->to_stdout && !carry(capture))
            cli_conversation_end(&capture->conversation);
    }
    return answer;
}

static long long number_of(const json_t *answer, const char *key)
{
    return (long long)json_integer_value(json_object_get(answer, key));
}

/* The document, or the line, goes to standard error where the packets go to standard output. */
static int tell(const struct capture *capture, json_t *answer)
{
    FILE *to = capture->to_stdout ? stderr : stdout;
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (capture->json && !capture->to_stdout) {
        report_json(json_incref(answer));
    } else if (capture->json) {
        json_dumpf(answer, to, JSON_COMPACT);
        fputc('\n', to);
    } else {
        fprintf(to, "%lld packets, %lld missed, %lld bytes; ended: %s\n",
                number_of(answer, "packets"), number_of(answer, "missed"),
                number_of(answer, "bytes"), json_string_value(json_object_get(answer, "ended")));
    }
    return error ? cli_error(&cli_capture, "the file could not be written on: %s", error)
                 : CLI_FINE;
}

static int converse(struct capture *capture)
{
    json_t *answer = NULL;
    bool over = false;
    while (!answer && !over) /* each signal ends a wait */
        answer = cli_conversation_hear(&capture->conversation, &cli_capture, -1, &over);
    if (!answer) {
        close_file(capture, true);
        return CLI_BAD_USE;
    }
    json_decref(answer);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "capturing; Ctrl-C ends it\n");
    answer = wait_for_end(capture);
    int code = answer ? tell(capture, answer) : CLI_BAD_USE;
    json_decref(answer);
    close_file(capture, false);
    return code;
}

static int run_capture(int argc, char **argv)
{
    struct capture capture = {.file = -1};
    const struct cli_option options[] = {{.name = "nic", .value = &capture.nic},
                                         {.name = "reason", .value = &capture.reason},
                                         {.name = "direction", .value = &capture.direction},
                                         {.name = "count", .value = &capture.count},
                                         {.name = "seconds", .value = &capture.seconds},
                                         {.name = "snaplen", .value = &capture.snap_bytes},
                                         {.name = "out", .value = &capture.out},
                                         {.name = "socket", .value = &capture.socket},
                                         {.name = "json", .flag = &capture.json},
                                         {0}};
    int code = cli_arguments(&cli_capture, argc, argv, options, NULL, 0);
    if (code >= 0)
        return code;
    if (!capture.out)
        return cli_error(&cli_capture, "--out FILE is needed: where the packets go");
    json_t *request = request_of(&capture);
    if (!request)
        return CLI_BAD_USE;
    if (!open_file(&capture)) {
        json_decref(request);
        close_file(&capture, true);
        return CLI_BAD_USE;
    }
    if (!cli_conversation_open(&capture.conversation, &cli_capture, capture.socket, request,
                               capture.file)) {
        close_file(&capture, true);
        return CLI_BAD_USE;
    }
    code = converse(&capture);
    cli_conversation_close(&capture.conversation);
    return code;
}

const struct cli_command cli_capture = {
    .name = "capture",
    .summary = "Write packets of a running engine to a pcapng file",
    .usage = "capture [--nic NIC] [--direction in|out|drop] [--reason REASON] [--count N]\n"
             "                          [--seconds S] [--snaplen BYTES] --out FILE [--socket PATH] "
             "[--json]",
    .help =
        "Every packet has a comment: its NIC, direction, and what became of it, as in\n"
        "'nic=vm1 direction=in verdict=dropped reason=no-route'. Ctrl-C ends the capture; the "
        "file\n"
        "is whole however it ends.\n\n"
        "  --nic NIC        of this NIC alone, or 'internet'; without it, of all and of none\n"
        "  --direction in   what the NIC sends (as it sends it, also through a tunnel)\n"
        "  --direction out  what goes to it, with all headers; without --direction, both\n"
        "  --direction drop what it sends and is dropped, as it came\n"
        "  --reason REASON  dropped for this reason alone, as 'show counters' has them\n"
        "  --count N        ends after so many packets\n"
        "  --seconds S      ends after so long (default and most 3600)\n"
        "  --snaplen BYTES  of a packet at most\n"
        "  --out FILE       a regular file, replaced if it is there; '-' is standard output, then\n"
        "                   the last line goes to standard error\n"
        "  --socket PATH    engine.control_socket of the engine (default /run/fingerpost.sock)\n\n"
        "What comes faster than the file takes it is missed, and told at the end. A file takes\n"
        "256 MiB at most. Up to 4 captures run at a time.\n\n"
        "Example: sudo fingerpost capture --nic vm1 --direction drop --out - | tshark -r - -T "
        "fields \\\n"
        "             -e frame.comment -e ip.dst\n",
    .run = run_capture,
};
