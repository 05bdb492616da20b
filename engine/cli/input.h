/*
 * A file read from its beginning to its end, unpacked on the way where it is packed: gzip, bzip2 and
 * xz are told by their first bytes, all else is taken as it stands. Memory does not grow with the
 * file.
 */
#ifndef ENGINE_CLI_INPUT_H
#define ENGINE_CLI_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct input;

/* Opens path, which must be a regular file. Returns 0 or -errno as source_open() does; -EISDIR: a
 * directory. */
int input_open(const char *path, struct input **input);
/* Fills up to capacity bytes; *n: how many, 0 only at the end. -EBADMSG: what is packed is damaged
 * or cut short. */
int input_read(struct input *input, uint8_t *bytes, size_t capacity, size_t *n);
void input_close(struct input *input); /* NULL is allowed */

#endif
