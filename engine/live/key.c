/*
 * See key.h. Files are checked after they were opened, on the descriptor: what is checked is what
 * is read.
 */
#include "engine/live/key.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* --- File ------------------------------------------------------------------------------------- */

static int key_path(const struct fabric_bgp_peer *peer, char path[PATH_BYTES])
{
    const char *file = peer->place.file ? peer->place.file : "";
    const char *slash = strrchr(file, '/');
    int folder = slash && peer->key_file[0] != '/' ? (int)(slash - file) + 1 : 0;
    int n = snprintf(path, PATH_BYTES, "%.*s%s", folder, file, peer->key_file);
    return n < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* NULL: the file may be used. */
static const char *unfit(const struct stat *about)
{
    if (!S_ISREG(about->st_mode))
        return "is no regular file";
    if (about->st_mode & 077)
        return "can be read or written by others; chmod 600 it";
    if (about->st_uid != geteuid() && about->st_uid != 0)
        return "belongs to another user; chown it to the one who runs the engine";
    return NULL;
}

/* One line, with or without its end. NULL: taken. */
static const char *take_line(const uint8_t *bytes, size_t n, struct live_key *key)
{
    if (n > LIVE_KEY_MAX + 2)
        return "is too long: a key has at most 80 bytes";
    if (n > 0 && bytes[n - 1] == '\n')
        n--;
    if (n > 0 && bytes[n - 1] == '\r')
        n--;
    if (n == 0)
        return "is empty; write the key into it";
    if (memchr(bytes, '\n', n) || memchr(bytes, '\0', n))
        return "has more than one line, or a zero byte; the key is one line of text";
    if (n > LIVE_KEY_MAX)
        return "is too long: a key has at most 80 bytes";
    memcpy(key->bytes, bytes, n);
    key->length = (uint8_t)n;
    return NULL;
}

/* 0, -errno, or -EINVAL with *why. */
static int read_file(const char *path, struct live_key *key, const char **why)
{
    uint8_t bytes[LIVE_KEY_MAX + 3]; /* a line end, and one byte that shows that there is more */
    struct stat about;
    /* Opening a FIFO would wait for who writes to it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int error = fstat(fd, &about) == 0 ? 0 : -errno;
    if (!error && (*why = unfit(&about)))
        error = -EINVAL;
    if (!error) {
        ssize_t n = read(fd, bytes, sizeof(bytes));
        error = n < 0 ? -errno : 0;
        if (!error && (*why = take_line(bytes, (size_t)n, key)))
            error = -EINVAL;
    }
    explicit_bzero(bytes, sizeof(bytes));
    close(fd);
    return error;
}

int live_key_read(const struct fabric_bgp_peer *peer, struct live_key *key, char *error,
                  size_t error_size)
{
    char path[PATH_BYTES];
    struct live_key found = {.type = peer->key_type, .id = (uint8_t)peer->key_id};
    const char *why = NULL;
    int status = key_path(peer, path);
    if (!status)
        status = read_file(path, &found, &why);
    if (status)
        snprintf(error, error_size, "%s:%u: peer '%s': key_file %s %s%s",
                 peer->place.file ? peer->place.file : "fabric", peer->place.line, peer->name,
                 peer->key_file, why ? why : "cannot be read: ", why ? "" : strerror(-status));
    else
        *key = found;
    live_key_forget(&found);
    return status;
}

bool live_key_equal(const struct live_key *a, const struct live_key *b)
{
    return a->length == b->length && a->type == b->type && a->id == b->id &&
           memcmp(a->bytes, b->bytes, a->length) == 0;
}

void live_key_forget(struct live_key *key)
{
    explicit_bzero(key, sizeof(*key));
}

/* --- Kernel ----------------------------------------------------------------------------------- */

/* Kernels before 6.7 have none of this, nor have their headers: the layout is fixed by the kernel's
 * interface (struct tcp_ao_add of linux/tcp.h), the names here are our own. */
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38
#define TCP_AO_DEL_KEY 39
#endif

struct ao_add {
    struct sockaddr_storage address;
    char algorithm[64];
    int32_t interface;
    uint32_t flags; /* bit 0: the current key at once; bit 1: ask the peer for it */
    uint16_t reserved;
    uint8_t prefix_length, send_id, receive_id, mac_length, key_flags, key_length;
    uint8_t key[LIVE_KEY_MAX];
} __attribute__((aligned(8)));

struct ao_delete {
    struct sockaddr_storage address;
    int32_t interface;
    uint32_t flags;
    uint16_t reserved;
    uint8_t prefix_length, send_id, receive_id, current, next, key_flags;
} __attribute__((aligned(8)));

#define AO_MAC_BYTES 12 /* HMAC-SHA-1-96 (RFC 5926 section 3.2.1), which everyone has */

static void fill_address(const struct lpm_address *peer, const char *interface,
                         struct sockaddr_storage *storage)
{
    memset(storage, 0, sizeof(*storage));
    if (peer->family == LPM_IPV4) {
        struct sockaddr_in *ip4 = (struct sockaddr_in *)storage;
        ip4->sin_family = AF_INET;
        memcpy(&ip4->sin_addr, peer->bytes, 4);
        return;
    }
    struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)storage;
    ip6->sin6_family = AF_INET6;
    ip6->sin6_scope_id = interface ? if_nametoindex(interface) : 0;
    memcpy(&ip6->sin6_addr, peer->bytes, 16);
}

/* Whose segments a key is for. */
struct signer {
    struct lpm_address address;
    uint8_t length; /* of the prefix */
    bool is_range;
    const char *interface;
};

/* A single peer is asked for by the older option, which every kernel with such keys has. */
static int set_md5(int fd, const struct signer *signer, const struct live_key *key)
{
    struct tcp_md5sig option = {.tcpm_keylen = key->length};
    struct sockaddr_storage address;
    if (signer->is_range) {
        option.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
        option.tcpm_prefixlen = signer->length;
    }
    fill_address(&signer->address, signer->interface, &address);
    memcpy(&option.tcpm_addr, &address, sizeof(option.tcpm_addr));
    memcpy(option.tcpm_key, key->bytes, key->length);
    int status = setsockopt(fd, IPPROTO_TCP, signer->is_range ? TCP_MD5SIG_EXT : TCP_MD5SIG,
                            &option, sizeof(option)) < 0
                     ? -errno
                     : 0;
    explicit_bzero(&option, sizeof(option));
    return status;
}

/* A key of these ids that is there is deleted first: the kernel takes no second one. It refuses to
 * delete the one that an open connection signs by, so such a connection keeps it to its end. */
static int set_ao(int fd, const struct signer *signer, const struct live_key *key)
{
    struct ao_delete former = {.send_id = key->id, .receive_id = key->id};
    struct ao_add option = {
        .algorithm = "hmac(sha1)",
        .prefix_length = signer->length,
        .send_id = key->id,
        .receive_id = key->id,
        .mac_length = AO_MAC_BYTES,
        .key_length = key->length,
    };
    fill_address(&signer->address, signer->interface, &option.address);
    former.address = option.address;
    former.prefix_length = option.prefix_length;
    memcpy(option.key, key->bytes, key->length);
    setsockopt(fd, IPPROTO_TCP, TCP_AO_DEL_KEY, &former, sizeof(former));
    int status =
        setsockopt(fd, IPPROTO_TCP, TCP_AO_ADD_KEY, &option, sizeof(option)) < 0 ? -errno : 0;
    explicit_bzero(&option, sizeof(option));
    return status;
}

static int set_key(int fd, const struct signer *signer, const struct live_key *key)
{
    if (key->length == 0)
        return 0;
    return key->type == FABRIC_KEY_MD5 ? set_md5(fd, signer, key) : set_ao(fd, signer, key);
}

/* A key of no length deletes. */
static void remove_md5(int fd, const struct signer *signer)
{
    const struct live_key none = {.type = FABRIC_KEY_MD5};
    set_md5(fd, signer, &none);
}

static void remove_ao(int fd, const struct signer *signer, const struct live_key *key)
{
    struct ao_delete former = {
        .prefix_length = signer->length, .send_id = key->id, .receive_id = key->id};
    fill_address(&signer->address, signer->interface, &former.address);
    setsockopt(fd, IPPROTO_TCP, TCP_AO_DEL_KEY, &former, sizeof(former));
}

static void remove_key(int fd, const struct signer *signer, const struct live_key *key)
{
    if (key->length > 0 && key->type == FABRIC_KEY_MD5)
        remove_md5(fd, signer);
    else if (key->length > 0)
        remove_ao(fd, signer, key);
}

static struct signer signer_of(const struct lpm_address *peer, const char *interface)
{
    return (struct signer){*peer, peer->family == LPM_IPV4 ? 32 : 128, false, interface};
}

static struct signer signer_of_range(const struct lpm_prefix *range, const char *interface)
{
    struct signer signer = {{.family = range->family}, range->length, true, interface};
    memcpy(signer.address.bytes, range->bytes, sizeof(signer.address.bytes));
    return signer;
}

int live_key_set(int fd, const struct lpm_address *peer, const char *interface,
                 const struct live_key *key)
{
    const struct signer signer = signer_of(peer, interface);
    return set_key(fd, &signer, key);
}

void live_key_remove(int fd, const struct lpm_address *peer, const char *interface,
                     const struct live_key *key)
{
    const struct signer signer = signer_of(peer, interface);
    remove_key(fd, &signer, key);
}

int live_key_set_range(int fd, const struct lpm_prefix *range, const char *interface,
                       const struct live_key *key)
{
    const struct signer signer = signer_of_range(range, interface);
    return set_key(fd, &signer, key);
}

void live_key_remove_range(int fd, const struct lpm_prefix *range, const char *interface,
                           const struct live_key *key)
{
    const struct signer signer = signer_of_range(range, interface);
    remove_key(fd, &signer, key);
}
