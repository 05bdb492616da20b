/*
 * Changes of a lab that lose nothing: another reading of its fabric, routes that come and go, and a stream of
 * updates without end.
 */
#ifndef ENGINE_CLI_CONVERGE_CHANGE_H
#define ENGINE_CLI_CONVERGE_CHANGE_H

#include "engine/cli/converge_lab.h"

/* Takes another reading, as `fingerpost apply` makes a running engine do: aside, in slices, then at once. 0 or -errno
 * with the error filled. */
int converge_lab_apply(struct converge_lab *lab, unsigned reading, struct bench_error *error);

/* The NVAs announce (or withdraw) n prefixes more than they had at first, until all is programmed. 0 or -errno with
 * the error filled. */
int converge_lab_announce(struct converge_lab *lab, size_t n, bool announce,
                          struct bench_error *error);

/* What the first NVA sends to withdraw all of its prefixes, and then to announce them again, as the bytes of its
 * sessions: so that to send it again and again costs the bench nothing. NULL with the error filled. */
struct converge_updates;
struct converge_updates *converge_updates_record(struct converge_lab *lab,
                                                 struct bench_error *error);
void converge_updates_free(struct converge_updates *updates); /* NULL is allowed */
/* Gives the route server some of it and programs what that changes. *n: how many prefixes it has changed if this was
 * the last of their updates, else 0. 0 or -errno with the error filled. */
int converge_updates_step(struct converge_lab *lab, struct converge_updates *updates, size_t *n,
                          struct bench_error *error);
/* To where both NVAs announce everything. */
int converge_updates_finish(struct converge_lab *lab, struct converge_updates *updates,
                            struct bench_error *error);

#endif
