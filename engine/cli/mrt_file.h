/* An MRT file, record by record; packed or not (input.h). Holds one record at a time. */
#ifndef ENGINE_CLI_MRT_FILE_H
#define ENGINE_CLI_MRT_FILE_H

#include "engine/bgp/mrt.h"
#include "engine/cli/command.h"

struct mrt_file;

/* Says what is wrong, as from command, and returns NULL. */
struct mrt_file *mrt_file_open(const struct cli_command *command, const char *path);
void mrt_file_close(struct mrt_file *file); /* NULL is allowed */

/* Takes the next record, valid until the next call; false at the end, and where the file cannot be
 * read on: that is said, and counted as damage. */
bool mrt_file_next(struct mrt_file *file, struct mrt_record *record);
/* Says that the record at hand is wrong (error as of the decoders of mrt.h): the first few times;
 * counts it as damage, but for -ENOTSUP, which is nobody's fault. */
void mrt_file_blame(struct mrt_file *file, const struct mrt_record *record, int error);
/* How many records were damaged, or could not be had. */
size_t mrt_file_damage(const struct mrt_file *file);
/* After the end: says how much was left out beyond what was said. */
void mrt_file_conclude(const struct mrt_file *file);

#endif
