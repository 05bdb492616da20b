/*
 * See host.h.
 */
#include "engine/cli/host.h"

#include <stdio.h>

#include "engine/fabric/placement.h"

static void list_hosts(const struct fabric *fabric, char *names, size_t room)
{
    size_t at = 0;
    names[0] = '\0';
    for (uint32_t i = 0; i < fabric->hosts_count && at < room - 1; i++) {
        int n = snprintf(names + at, room - at, "%s%s", i ? ", " : "", fabric->hosts[i].name);
        at += n > 0 ? (size_t)n : 0;
    }
}

int cli_stand_on(const struct cli_command *command, struct fabric *fabric, const char *name)
{
    char names[200];
    uint32_t host = name ? fabric_find_host(fabric, name) : 0;
    if (!name && fabric->hosts_count == 0)
        return CLI_FINE;
    list_hosts(fabric, names, sizeof(names));
    if (name && fabric->hosts_count == 0)
        return cli_error(command, "--host: the fabric has no hosts");
    if (host == FABRIC_NONE)
        return cli_error(command, "--host: the fabric has no host '%s'; it has %s", name, names);
    if (!name && fabric->hosts_count > 1)
        return cli_error(command,
                         "the fabric has hosts: --host NAME says which one this is; it has "
                         "%s",
                         names);
    fabric_stand_on(fabric, host);
    return CLI_FINE;
}
