/* faults.h -- what shall go wrong, by script: rules "SERVER:WHEN=ACTION", one a line or as options.
 *
 * SERVER  api or sink
 * WHEN    N, N-M (the n-th request since the script was set, from 1), * (each), %K (every K-th),
 *         ~P (P percent of them, by the seed)
 * ACTION  a status (503), reset, cut, hang, lost, badjson, badutf8, garbage, deep[=LEVELS],
 *         huge=SIZE, wrongtype[=logs|element|cursor|page], gzip, partial=N, ok; behind it any of
 *         ;Header=Value ;body=TEXT ;delay=DURATION. `delay=DURATION` alone: late, but right.
 *
 * The first rule that fits a request is the one. */
#ifndef OTLPULL_SIM_FAULTS_H
#define OTLPULL_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/request.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_STATUS,
    FAULT_RESET,
    FAULT_CUT,
    FAULT_HANG,
    FAULT_LOST, /* done as asked, but the answer is lost */
    FAULT_BADJSON,
    FAULT_BADUTF8,
    FAULT_GARBAGE,
    FAULT_DEEP,
    FAULT_HUGE,
    FAULT_WRONGTYPE,
    FAULT_GZIP,
    FAULT_PARTIAL,
};

struct fault {
    enum fault_kind kind;
    int status;
    int64_t number;     /* levels of deep, bytes of huge, records of partial */
    const char *detail; /* of wrongtype; of partial: how the number is written */
    const char *body;   /* NULL: the server's own */
    int64_t delay_ns;
    const struct pairs *headers; /* may be NULL; all texts live as long as the faults */
};

enum fault_server { FAULT_API, FAULT_SINK };

struct faults;
struct faults *faults_create(uint64_t seed);
void faults_destroy(struct faults *faults);

/* Add rules, a line or more of them, to those that are set, or put them in their place, counting
 * requests anew. All or nothing. */
int faults_add(struct faults *faults, const char *rules, struct error *err);
int faults_replace(struct faults *faults, const char *rules, struct error *err);

/* Count one more request at this server and say what shall go wrong with it. */
struct fault faults_next(struct faults *faults, enum fault_server server);

#endif
