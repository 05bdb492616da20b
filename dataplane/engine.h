/*
 * What other parts of the room ask of a running engine.
 */
#ifndef DATAPLANE_ENGINE_H
#define DATAPLANE_ENGINE_H

#include "dataplane/dataplane.h"

struct dp_forwarding *dp_engine_forwarding(const struct dp_engine *engine);
/* What a packet buffer holds: no frame is longer. */
uint32_t dp_engine_frame_bytes(const struct dp_engine *engine);

#endif
