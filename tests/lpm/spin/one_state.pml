/*
 * "One state in all": a model of what lpm/core.c argues, for spin.
 *
 * One address, two FIBs over one base, one reader that looks the address up in FIB 0, and a writer
 * that does any CHANGES changes in any order, all of them interleaved at every load and store. The
 * words that readers see are those of lpm/core.h: fib->layer, layer->ranges, the base's word for the
 * address, its routes, the fallbacks. What a word refers to is a node here, be it a node or ranges.
 * Nodes and layers come from small pools, so memory that was freed too early is reused at once and
 * shows.
 *
 *      fib[f] ----> layer: ranges, fallback ----> word (a node), routes, base_fallback
 *
 * The reader takes the layer's word or the base's word first, as it likes. Where a layer covers the
 * address, its ranges hold the override, or let the base decide because it has a route, or ask the
 * base's routes; when the route comes or goes they follow as lpm/follow.c says, and end up asking or
 * not, whichever the writer likes.
 *
 * Checked at every lookup: the leaf is one that FIB 0 showed at some moment of the lookup; nothing
 * that is read has been freed. While a change is under way both of its ends count as shown.
 *
 * Each rule of core.c can be broken by -D, and then spin has to find a lookup that goes wrong:
 *      NO_LAYER_GUARD    no grace period between a FIB's new layer and a base change there
 *      NO_TABLE_GUARD    ... between another fallback and any base change
 *      NO_DERIVED_GUARD  ... between a FIB's new layer and another fallback of the base
 *      FREE_AT_ONCE      nodes and layers are freed without waiting for readers
 *      PUBLISH_EARLY     a node is reachable before its content is there (a release store missing)
 *      FALLBACK_LAST     the reader loads the fallback after the words, not before
 *      NO_ASKING_GUARD   no grace period between leaving a layer that asks and any base change
 *      NO_COMING_GRACE   ... between a route that comes and ranges that let the base decide
 *      NO_GOING_GRACE    ... between ranges that ask and a route that goes
 */

#ifndef CHANGES
#define CHANGES 4
#endif

#define NONE 0 /* no route: the fallback decides */

/* Leaves are bits, so that sets of them are numbers. */
#define ROUTE_A    1 /* the base's route at the address */
#define ROUTE_B    2
#define OVERRIDE   4
#define BASE_BACK  8 /* the base's fallback, two values */
#define BASE_BACK2 16
#define OWN_BACK   32 /* FIB 0's own fallback */

#define INHERIT 255
#define ASKS    254 /* ranges that ask the routes */

/* What a layer does at the address. */
#define PLAIN 0 /* nothing */
#define EXACT 1 /* an override of just the base's prefix */
#define COVER 2 /* an override of a shorter prefix: the base's route shows, if there is one */

#define NODES  9
#define LAYERS 5 /* number 0 is the plain one and stays */

typedef layer_type {
    byte kind;
    byte ranges;   /* a node, ASKS or INHERIT */
    byte fallback; /* a leaf, or INHERIT */
    byte fibs;
    bool alive, buried, guard;
};

layer_type layer[LAYERS];
byte node_leaf[NODES];
bool node_alive[NODES], node_buried[NODES];
byte fib[2];       /* -> layer */
byte word;         /* -> node */
byte routes = ROUTE_A;
byte base_fallback = BASE_BACK;
bool table_guard, derived_guard;

bool started;

/* The reader's section, and what FIB 0 may have shown in it. */
bool inside;
byte shown, seen;

/* --- Ghosts: what FIB 0 shows as a whole ------------------------------------------------------- */

inline showing(l, w, back)
{
    d_step {
        after = node_leaf[w];
        if
        :: layer[l].kind == EXACT -> after = OVERRIDE
        :: layer[l].kind == COVER && after == NONE -> after = OVERRIDE
        :: else
        fi;
        if
        :: after != NONE
        :: after == NONE && layer[l].fallback != INHERIT -> after = layer[l].fallback
        :: else -> after = back
        fi;
        shown = shown | after;
        if
        :: inside -> seen = seen | after
        :: else
        fi
    }
}

inline shown_settles()
{
    d_step { shown = after }
}

/* --- Memory ------------------------------------------------------------------------------------ */

inline new_node(n, leaf)
{
    d_step {
        n = 0;
        do
        :: n < NODES && node_alive[n] -> n++
        :: else -> break
        od;
        assert(n < NODES);
        node_alive[n] = true;
#ifndef PUBLISH_EARLY
        node_leaf[n] = leaf;
#endif
    }
}

inline fill_node(n, leaf)
{
#ifdef PUBLISH_EARLY
    node_leaf[n] = leaf;
#else
    skip;
#endif
}

inline bury_node(n)
{
    d_step {
        if
        :: n == INHERIT || n == ASKS
        :: else ->
#ifdef FREE_AT_ONCE
            node_alive[n] = false;
            node_leaf[n] = NONE
#else
            node_buried[n] = true
#endif
        fi
    }
}

/* The reader that was inside has announced a quiescent state: all guards have passed, and what was
 * buried is free. */
inline grace_period()
{
    !inside;
    d_step {
        table_guard = false;
        derived_guard = false;
        i = 0;
        do
        :: i < LAYERS ->
            layer[i].guard = false;
            if
            :: layer[i].buried -> layer[i].alive = false; layer[i].buried = false
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < NODES ->
            if
            :: node_buried[i] ->
                node_alive[i] = false;
                node_buried[i] = false;
                node_leaf[i] = NONE
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

/* --- The writer -------------------------------------------------------------------------------- */

inline replace_ranges(at, next)
{
    old = layer[at].ranges;
    layer[at].ranges = next;
    bury_node(old)
}

/* A change of the base: its route at the address, its fallback, or both in one batch. */
inline change_base(leaf, back)
{
    byte next_word, next_ranges[LAYERS], old;
    bool follows[LAYERS], comes, goes, many, followed;

    new_node(next_word, leaf);
    /* Layers that cover a route that comes or goes follow; all that override here ask for their guard. */
    d_step {
        comes = (routes == NONE && leaf != NONE);
        goes = (routes != NONE && leaf == NONE)
    };
    if
    :: comes || goes -> many = true
    :: many = false
    fi;
    needed = table_guard || (back != base_fallback && derived_guard);
    l = 1;
    do
    :: l < LAYERS ->
        if
        :: layer[l].alive && !layer[l].buried && layer[l].kind != PLAIN ->
            needed = needed || layer[l].guard;
            if
            :: layer[l].kind == COVER && (comes || goes) && layer[l].ranges != ASKS ->
                follows[l] = true;
                followed = true;
                if
                :: leaf == NONE && !many -> new_node(next_ranges[l], OVERRIDE); fill_node(next_ranges[l], OVERRIDE)
                :: else -> next_ranges[l] = INHERIT
                fi
            :: else
            fi
        :: else
        fi;
        l++
    :: else -> break
    od;
    if
    :: needed -> grace_period()
    :: else
    fi;
    showing(fib[0], next_word, base_fallback); /* 0/0 is a step of its own, after the others */
    showing(fib[0], next_word, back);
    l = 1;
    do
    :: l < LAYERS ->
        if
        :: follows[l] && (goes || many) -> replace_ranges(l, ASKS)
        :: else
        fi;
        l++
    :: else -> break
    od;
#ifndef NO_GOING_GRACE
    if
    :: followed && goes -> grace_period()
    :: else
    fi;
#endif
    old = word;
    word = next_word;
    fill_node(next_word, leaf);
    bury_node(old);
    routes = leaf;
#ifndef NO_COMING_GRACE
    if
    :: followed && comes && !many -> grace_period()
    :: else
    fi;
#endif
    l = 1;
    do
    :: l < LAYERS ->
        if
        :: follows[l] && !many -> replace_ranges(l, next_ranges[l])
        :: else
        fi;
        l++
    :: else -> break
    od;
    if
    :: back != base_fallback ->
        base_fallback = back;
#ifndef NO_TABLE_GUARD
        table_guard = true;
#endif
        skip
    :: else
    fi;
    shown_settles();
    d_step {
        next_word = 0; old = 0; comes = false; goes = false; many = false; followed = false;
        l = 1;
        do
        :: l < LAYERS -> next_ranges[l] = 0; follows[l] = false; l++
        :: else -> break
        od;
        l = 0;
        needed = false
    }
}

/* A change of 0/0 alone meets no layer, so no layer's guard is asked. */
inline change_fallback(back)
{
    if
    :: table_guard || derived_guard -> grace_period()
    :: else
    fi;
    showing(fib[0], word, back);
    base_fallback = back;
#ifndef NO_TABLE_GUARD
    table_guard = true;
#endif
    shown_settles()
}

/* The live layer with this content, or a new one. */
inline get_layer(k, back)
{
    d_step {
        l = 0;
        do
        :: l < LAYERS && !(layer[l].alive && !layer[l].buried && layer[l].kind == k &&
                           layer[l].fallback == back) -> l++
        :: else -> break
        od;
        if
        :: l < LAYERS
        :: else ->
            l = 1;
            do
            :: l < LAYERS && layer[l].alive -> l++
            :: else -> break
            od;
            assert(l < LAYERS);
            layer[l].alive = true;
            layer[l].kind = k;
            layer[l].fallback = back;
            layer[l].ranges = INHERIT;
            layer[l].fibs = 0;
            leaf = OVERRIDE /* it is new */
        fi
    };
    if
    :: leaf == OVERRIDE && (k == EXACT || (k == COVER && node_leaf[word] == NONE)) ->
        new_node(layer[l].ranges, OVERRIDE);
        fill_node(layer[l].ranges, OVERRIDE)
    :: leaf == OVERRIDE && k == COVER -> layer[l].ranges = ASKS
    :: leaf != OVERRIDE || k == PLAIN || (k == COVER && node_leaf[word] != NONE)
    fi
}

inline change_fib(f, k, back)
{
    byte left;

    get_layer(k, back);
    left = fib[f];
    if
    :: l == left
    :: else ->
        if
        :: f == 0 -> showing(l, word, base_fallback)
        :: else
        fi;
        fib[f] = l;
        d_step {
            layer[l].fibs++;
            layer[left].fibs--;
#ifndef NO_LAYER_GUARD
            layer[l].guard = true;
            layer[left].guard = true;
#endif
#ifndef NO_DERIVED_GUARD
            derived_guard = true;
#endif
#ifndef NO_TABLE_GUARD
            if
            :: layer[l].fallback != layer[left].fallback -> table_guard = true
            :: else
            fi;
#ifndef NO_ASKING_GUARD
            if
            :: layer[left].ranges == ASKS -> table_guard = true
            :: else
            fi;
#endif
#endif
            skip
        };
        if
        :: f == 0 -> shown_settles()
        :: else
        fi;
        if
        :: left != 0 && layer[left].fibs == 0 ->
            bury_node(layer[left].ranges);
#ifdef FREE_AT_ONCE
            d_step { layer[left].alive = false; layer[left].ranges = INHERIT; layer[left].kind = PLAIN }
#else
            layer[left].buried = true
#endif
        :: else
        fi
    fi;
    d_step { left = 0; l = 0; leaf = 0 }
}

active proctype writer()
{
    byte i, l, leaf, after, changes;
    bool needed;

    d_step {
        node_alive[0] = true;
        node_leaf[0] = ROUTE_A;
        layer[0].alive = true;
        layer[0].fibs = 2;
        layer[0].ranges = INHERIT;
        layer[0].fallback = INHERIT;
        shown = ROUTE_A;
        started = true
    };
    do
    :: changes < CHANGES ->
        changes++;
        if /* "true", lest an else at the head of one choice means all the others */
        :: true -> change_base(NONE, base_fallback)
        :: true -> change_base(ROUTE_A, base_fallback)
        :: true -> change_base(ROUTE_B, base_fallback)
        :: true -> change_base(NONE, (base_fallback == BASE_BACK -> BASE_BACK2 : BASE_BACK))
        :: true -> change_base(ROUTE_A, (base_fallback == BASE_BACK -> BASE_BACK2 : BASE_BACK))
        :: true -> change_fallback((base_fallback == BASE_BACK -> BASE_BACK2 : BASE_BACK))
        :: true -> change_fib(0, PLAIN, INHERIT)
        :: true -> change_fib(0, EXACT, INHERIT)
        :: true -> change_fib(0, COVER, INHERIT)
        :: true -> change_fib(0, PLAIN, OWN_BACK)
        :: true -> change_fib(0, EXACT, OWN_BACK)
        :: true -> change_fib(1, COVER, INHERIT)
        :: true -> change_fib(1, PLAIN, INHERIT)
        :: true -> grace_period()
        fi
    :: else -> break
    od
}

/* --- The reader -------------------------------------------------------------------------------- */

inline load_fallback()
{
    assert(layer[at].alive);
    back = layer[at].fallback;
    if
    :: back == INHERIT -> back = base_fallback
    :: else
    fi
}

inline load_node(n)
{
    assert(node_alive[n]);
    result = node_leaf[n]
}

/* What the layer shows, unless it inherits. */
inline load_own()
{
    assert(layer[at].alive);
    entry = layer[at].ranges;
    if
    :: entry == INHERIT
    :: entry == ASKS ->
        result = routes;
        if
        :: result == NONE -> result = OVERRIDE
        :: else
        fi
    :: else -> load_node(entry)
    fi
}

inline load_base()
{
    entry = word;
    load_node(entry)
}

active proctype reader()
{
    byte at, back, entry, result;

    started;
end:
    do
    :: d_step { inside = true; seen = shown };
        at = fib[0];
#ifndef FALLBACK_LAST
        load_fallback();
#endif
        if
        :: true -> load_own(); if :: entry == INHERIT -> load_base() :: else fi
        :: true -> load_base(); load_own()
        fi;
#ifdef FALLBACK_LAST
        load_fallback();
#endif
        if
        :: result == NONE -> result = back
        :: else
        fi;
        assert((seen & result) != 0);
        d_step { inside = false; seen = 0; at = 0; back = 0; entry = 0; result = 0 }
    od
}
