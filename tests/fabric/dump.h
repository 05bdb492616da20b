/*
 * A fabric as text, every field of every object, written by hand from model.h: two fabrics are
 * equal when their texts are, and an expected text is an expected fabric. Places are left out, as
 * order in a file never matters.
 */
#ifndef TESTS_FABRIC_DUMP_H
#define TESTS_FABRIC_DUMP_H

#include "engine/fabric/model.h"

/* malloc'ed. */
char *dump_fabric(const struct fabric *fabric);

#endif
