/*
 * Key files, and what the kernel does with keys: two ends with one key connect, with two they do
 * not, and a key can be changed under an open connection.
 */
#include "engine/live/key.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/live/socket.h"

#define ERROR_TEXT 512

/* --- Files ------------------------------------------------------------------------------------ */

static char folder[] = "/tmp/fingerpost-key-XXXXXX";
static char fabric_file[64];

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(fabric_file, sizeof(fabric_file), "%s/fabric.yaml", folder);
}

static void write_key(const char *name, const void *bytes, size_t n, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fwrite(bytes, 1, n, file);
    fclose(file);
    chmod(path, mode);
}

static void remove_folder(void)
{
    static const char *const names[] = {"k", "fifo"};
    char path[128];
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static int read_key(const char *name, struct live_key *key, char error[ERROR_TEXT])
{
    const struct fabric_bgp_peer peer = {
        .name = "nva1", .place = {fabric_file, 7}, .key_file = name, .key_id = 1};
    error[0] = '\0';
    return live_key_read(&peer, key, error, ERROR_TEXT);
}

TestSuite(key_file, .init = make_folder, .fini = remove_folder);

Test(key_file, is_one_line_with_or_without_its_end)
{
    static const char *const texts[] = {"s3cret", "s3cret\n", "s3cret\r\n"};
    char error[ERROR_TEXT];
    for (unsigned i = 0; i < 3; i++) {
        struct live_key key;
        write_key("k", texts[i], strlen(texts[i]), 0600);
        cr_assert_eq(read_key("k", &key, error), 0, "%s", error);
        cr_expect_eq(key.length, 6);
        cr_expect_eq(memcmp(key.bytes, "s3cret", 6), 0);
    }
}

Test(key_file, may_be_as_long_as_the_kernel_takes)
{
    char text[LIVE_KEY_MAX + 3], error[ERROR_TEXT];
    struct live_key key;
    memset(text, 'k', sizeof(text));
    write_key("k", text, LIVE_KEY_MAX, 0600);
    cr_expect_eq(read_key("k", &key, error), 0, "%s", error);
    cr_expect_eq(key.length, LIVE_KEY_MAX);
    for (unsigned more = 1; more <= 3; more++) {
        write_key("k", text, LIVE_KEY_MAX + more, 0600);
        cr_expect_eq(read_key("k", &key, error), -EINVAL);
        cr_expect_not_null(strstr(error, "at most 80 bytes"), "%s", error);
    }
}

Test(key_file, says_what_is_wrong_and_leaves_the_key_alone)
{
    static const struct {
        const char *text;
        size_t n;
        mode_t mode;
        const char *says;
    } cases[] = {
        {"s3cret\n", 7, 0640, "chmod 600"},
        {"s3cret\n", 7, 0604, "chmod 600"},
        {"", 0, 0600, "is empty"},
        {"\n", 1, 0600, "is empty"},
        {"one\ntwo\n", 8, 0600, "more than one"},
        {"a\0b\n", 4, 0600, "zero byte"},
    };
    char error[ERROR_TEXT];
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct live_key key = {.length = 3, .bytes = "old"};
        write_key("k", cases[i].text, cases[i].n, cases[i].mode);
        cr_expect_eq(read_key("k", &key, error), -EINVAL);
        cr_expect_not_null(strstr(error, cases[i].says), "%s", error);
        cr_expect_not_null(strstr(error, "fabric.yaml:7: peer 'nva1': key_file k "), "%s", error);
        cr_expect_null(strstr(error, "s3cret"), "no key may stand in a message");
        cr_expect_eq(key.length, 3);
    }
}

Test(key_file, that_is_missing_or_no_file_is_told_at_once)
{
    char error[ERROR_TEXT], path[128];
    struct live_key key;
    cr_expect_eq(read_key("absent", &key, error), -ENOENT);
    cr_expect_not_null(strstr(error, "No such file"), "%s", error);
    snprintf(path, sizeof(path), "%s/fifo", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(read_key("fifo", &key, error), -EINVAL);
    cr_expect_eq(read_key(folder, &key, error), -EINVAL, "an absolute name of a folder");
    cr_expect_not_null(strstr(error, "no regular file"), "%s", error);
}

/* --- Kernel ----------------------------------------------------------------------------------- */

static const struct live_socket_options plain = {.ttl = 255};

static struct live_key make_key(const char *text)
{
    struct live_key key = {.length = (uint8_t)strlen(text)};
    memcpy(key.bytes, text, strlen(text));
    return key;
}

static struct live_endpoint loopback(const char *text)
{
    struct live_endpoint endpoint = {0};
    lpm_address_parse(text, &endpoint.address);
    return endpoint;
}

/* A listener on a free port; its endpoint is completed. */
static int listen_on(struct live_endpoint *local, const struct lpm_address *peer,
                     const struct live_key *key)
{
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof(name);
    int fd = live_socket_make(local, &plain);
    cr_assert_geq(fd, 0);
    cr_assert_eq(live_key_set(fd, peer, NULL, key), 0);
    cr_assert_eq(live_socket_listen(fd), 0);
    getsockname(fd, (struct sockaddr *)&name, &length);
    /* The port stands at the same place in both families. */
    local->port = (uint16_t)(((uint8_t *)&name)[2] << 8 | ((uint8_t *)&name)[3]);
    return fd;
}

static bool ready(int fd, short events, int timeout_ms)
{
    struct pollfd poll_fd = {fd, events, 0};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* A connection from `from` with that key, or -1 when none came up within a moment. */
static int call(const struct live_endpoint *from, const struct live_endpoint *to,
                const struct live_key *key)
{
    int fd = live_socket_make(from, &plain);
    cr_assert_geq(fd, 0);
    cr_assert_eq(live_key_set(fd, &to->address, NULL, key), 0);
    cr_assert_eq(live_socket_connect(fd, to), 0);
    if (ready(fd, POLLOUT, 300) && live_socket_error(fd) == 0)
        return fd;
    close(fd);
    return -1;
}

static void only_one_key_connects(const char *here, const char *there)
{
    struct live_endpoint local = loopback(here), remote = loopback(there);
    struct live_key right = make_key("right"), wrong = make_key("wrong"), none = {0};
    int listener = listen_on(&local, &remote.address, &right);
    int fd = call(&remote, &local, &right);
    cr_expect_geq(fd, 0, "the same key at both ends");
    close(fd);
    cr_expect_eq(call(&remote, &local, &wrong), -1, "another key");
    cr_expect_eq(call(&remote, &local, &none), -1, "no key");
    close(listener);
}

Test(key, only_the_same_one_connects)
{
    only_one_key_connects("127.0.0.1", "127.0.0.2");
    only_one_key_connects("::1", "::1");
}

Test(key, can_be_changed_under_an_open_connection)
{
    struct live_endpoint local = loopback("127.0.0.1"), remote = loopback("127.0.0.2");
    struct live_key first = make_key("first"), second = make_key("second");
    struct lpm_address source;
    uint8_t ttl = 0, byte;
    int listener = listen_on(&local, &remote.address, &first);
    int fd = call(&remote, &local, &first);
    cr_assert_geq(fd, 0);
    cr_assert(ready(listener, POLLIN, 1000));
    int accepted = live_socket_accept(listener, &source, &ttl);
    cr_assert_geq(accepted, 0);
    cr_expect_eq(ttl, 255, "of the SYN: %u", ttl);

    cr_assert_eq(live_key_set(accepted, &remote.address, NULL, &second), 0);
    cr_assert_eq(send(fd, "x", 1, 0), 1);
    cr_expect_not(ready(accepted, POLLIN, 300), "one end still has the first key");
    cr_assert_eq(live_key_set(fd, &local.address, NULL, &second), 0);
    cr_expect(ready(accepted, POLLIN, 5000), "sent again with the second key");
    cr_expect_eq(recv(accepted, &byte, 1, 0), 1);
    close(accepted);
    close(fd);
    close(listener);
}

Test(key, of_tcp_ao_is_taken_or_refused_in_plain_words)
{
    struct live_endpoint local = loopback("127.0.0.1"), remote = loopback("127.0.0.2");
    struct live_key key = make_key("first");
    key.type = FABRIC_KEY_TCP_AO;
    int fd = live_socket_make(&local, &plain);
    cr_assert_geq(fd, 0);
    int status = live_key_set(fd, &remote.address, NULL, &key);
    cr_expect(status == 0 || status == -ENOPROTOOPT, "%s", strerror(-status));
    close(fd);
}
