/* Lines for people on standard error, each with its time. */
#ifndef ENGINE_LIVE_LOG_H
#define ENGINE_LIVE_LOG_H

/* Writes "2026-05-11T09:30:00.123Z text". Cut at 511 characters; control characters become '?', so
 * that nothing a peer says can forge a line. */
void live_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
