/*
 * What must hold of the live engine over real TCP. Each scenario starts an engine of its own, plays
 * peers, stops the engine, and returns true; else it says on standard error what did not hold.
 *
 * They are plain functions so that a Criterion suite and a plain program (ThreadSanitizer) share
 * them.
 */
#ifndef TESTS_LIVE_SCENARIOS_H
#define TESTS_LIVE_SCENARIOS_H

#include <stdbool.h>

/* X(function) */
#define LIVE_SCENARIOS(X)                                                                          \
    X(session_comes_up_and_stops_cleanly)                                                          \
    X(routes_are_learned_and_reported)                                                             \
    X(garbage_gets_a_notification_and_hurts_no_one_else)                                           \
    X(one_byte_at_a_time_is_fine)                                                                  \
    X(unknown_source_is_refused_with_one_line)                                                     \
    X(engine_connects_out_from_the_instance_address)                                               \
    X(slow_reader_gets_everything_in_the_end)                                                      \
    X(flood_does_not_delay_keepalives)                                                             \
    X(peer_that_left_comes_back_at_once)                                                           \
    X(second_incoming_connection_is_refused)                                                       \
    X(dynamic_neighbors_come_and_go)                                                               \
    X(dynamic_neighbor_may_say_more_than_its_open)                                                 \
    X(neighbor_of_another_as_is_told_so)                                                           \
    X(dynamic_neighbors_are_limited)                                                               \
    X(second_signal_ends_at_once)                                                                  \
    X(taken_port_is_a_bad_start)                                                                   \
    X(absent_address_is_a_bad_start)                                                               \
    X(workers_run_beside_changing_routes)                                                          \
    X(trickling_peer_holds_up_no_one)                                                              \
    X(bytes_without_a_message_do_not_hold_a_session)                                               \
    X(peer_that_never_reads_costs_its_own_state_only)                                              \
    X(flood_of_updates_holds_up_no_one)                                                            \
    X(ten_thousand_flaps_leave_nothing_behind)                                                     \
    X(hundreds_of_session_flaps_leave_nothing_behind)                                              \
    X(garbage_before_the_open_costs_one_connection)                                                \
    X(half_open_connections_hold_up_no_one)                                                        \
    X(stopped_engine_blames_no_one)

#define LIVE_DECLARE(name) bool name(void);
LIVE_SCENARIOS(LIVE_DECLARE)
#undef LIVE_DECLARE

#endif
