#include "engine/fabric/loader.h"
void fabric_validate(struct fabric_loader *loader)
{
    (void)loader;
}
