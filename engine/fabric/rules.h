/*
 * The names of the rules that decide about a candidate route: what `routes --explain` prints and
 * docs/effective-routes.md explains, one by one.
 */
#ifndef ENGINE_FABRIC_RULES_H
#define ENGINE_FABRIC_RULES_H

/* Installed or lost at the NIC. */
#define FABRIC_RULE_ONLY_CLASS       "only-class"
#define FABRIC_RULE_CLASS_PRECEDENCE "class-precedence"
#define FABRIC_RULE_SYSTEM_ORDER     "system-order"

/* System routes that do not stand. */
#define FABRIC_RULE_PEERING_WITHOUT_ROUTES "peering-without-routes"
#define FABRIC_RULE_RESERVED_IN_USE        "reserved-in-use"
#define FABRIC_RULE_DEFAULT_OVERRIDDEN     "default-overridden"

/* BGP routes that are not programmed. */
#define FABRIC_RULE_NO_IPV6              "no-ipv6"
#define FABRIC_RULE_PROPAGATION_OFF      "bgp-propagation-off"
#define FABRIC_RULE_VNET_IMPORT_FILTER   "vnet-import-filter"
#define FABRIC_RULE_SERVICE_ENDPOINT     "service-endpoint"
#define FABRIC_RULE_OWN_ANNOUNCEMENT     "own-announcement"
#define FABRIC_RULE_SUBNET_IMPORT_FILTER "subnet-import-filter"
#define FABRIC_RULE_ORIGINATED           "originated-by-route-server"
#define FABRIC_RULE_HALF_PROGRAMMING     "half-programming"

/* What the route server chose, and NICs do not follow yet. */
#define FABRIC_RULE_DAMPING            "damping"
#define FABRIC_RULE_FAILBACK_HOLD_DOWN "failback-hold-down"

/* BGP routes that the route server did not choose. */
#define FABRIC_RULE_WEIGHT                 "weight"
#define FABRIC_RULE_LOCAL_PREFERENCE       "local-preference"
#define FABRIC_RULE_HUB_ROUTING_PREFERENCE "hub-routing-preference"
#define FABRIC_RULE_AS_PATH_LENGTH         "as-path-length"
#define FABRIC_RULE_AS_LOOP                "as-loop"
#define FABRIC_RULE_POLICY                 "policy"
#define FABRIC_RULE_SUMMARISED             "summarised"
#define FABRIC_RULE_NEXT_HOP               "next-hop"
#define FABRIC_RULE_MARTIAN                "martian"
#define FABRIC_RULE_DUPLICATE_NEXT_HOP     "duplicate-next-hop"
#define FABRIC_RULE_ECMP_LIMIT             "ecmp-limit"
#define FABRIC_RULE_GRACEFUL_SHUTDOWN      "graceful-shutdown"
#define FABRIC_RULE_LOCAL_PREFERENCE       "local-preference"
#define FABRIC_RULE_ORIGIN                 "origin"
#define FABRIC_RULE_MED                    "med"
#define FABRIC_RULE_MAX_AS_PATH            "max-as-path"
#define FABRIC_RULE_MAX_COMMUNITIES        "max-communities"
#define FABRIC_RULE_FIRST_AS               "first-as"
#define FABRIC_RULE_REFLECTION_LOOP        "reflection-loop"
#define FABRIC_RULE_ROUTE_LEAK             "route-leak"
#define FABRIC_RULE_STALE                  "stale"

#endif
