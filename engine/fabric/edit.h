/*
 * Changes of a fabric file that no editor made: what a drill sets, adds and removes while the fabric
 * runs. They are made in the tree of nodes, before it is read into the model, so that a fabric with
 * changes is checked like one that was written so, and problems name the line that asked for them.
 *
 * A path leads from the top through keys, and through lists by the name of an element:
 *
 *   route_tables/nva-table/bgp_propagation         an element has this name
 *   vnets/hub/subnets/nva/route_table
 *   peerings/hub,spoke1/in_sync                    a peering is named by its VNets
 *   route_tables/nva-table/routes/10.2.0.0/16      a route by its prefix
 *   routers/nva1-os/neighbors/rs1                  a neighbor by what it names
 */
#ifndef ENGINE_FABRIC_EDIT_H
#define ENGINE_FABRIC_EDIT_H

#include "engine/fabric/tree.h"

enum fabric_edit_kind {
    FABRIC_EDIT_SET,    /* the value of a key, or a whole element; an empty one takes it away */
    FABRIC_EDIT_ADD,    /* elements to the list at path, which need not be there yet */
    FABRIC_EDIT_REMOVE, /* elements by their names from the list at path */
};

struct fabric_edit {
    enum fabric_edit_kind kind;
    const char *path;
    const struct fabric_node *value;
    struct fabric_place place; /* of path */
};

/* All nodes belong to whoever made the edits, and live as long as what is loaded by them. */
struct fabric_edits {
    const struct fabric_edit *items;
    size_t n;
};

/* Returns a tree like top with the change in it: new nodes along the path, the others shared. NULL: a
 * problem was told, or memory is out. */
struct fabric_node *fabric_edit_apply(struct fabric_loader *loader, const struct fabric_node *top,
                                      const struct fabric_edit *edit);

/* fabric_load() with the changes made, in their order. */
struct fabric_reader;
struct fabric_problems;
struct fabric *fabric_load_edited(const char *path, const struct fabric_reader *reader,
                                  const struct fabric_edits *edits,
                                  struct fabric_problems *problems);

#endif
