/* app.h -- what main.c hands to a subcommand. */
#ifndef OTLPULL_CMD_APP_H
#define OTLPULL_CMD_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/error.h"
#include "config.h"
#include "shard.h"

#define SOURCE_FLAGS_MAX 1024

/* The command line. */
struct flags {
    const char *config;
    const char *sources[SOURCE_FLAGS_MAX];
    int source_count;
    int64_t deadline_ns; /* 0: none was given */
    struct shard shard;  /* count 0: none was given */
    bool dry_run, quiet, json, stats, help, version;
    int log_level, log_format; /* -1: none was given */
};

struct app {
    struct flags flags;
    struct clock clk;
    struct diag diag;
    struct config config;
    bool *chosen; /* per source of the configuration: --source names it, or names none */
};

/* Each returns the process's exit code. */
int run_command(struct app *app);
int lambda_command(struct app *app);
int check_command(struct app *app);
int status_command(struct app *app);
int dead_letter_list_command(struct app *app);
int dead_letter_replay_command(struct app *app);
int help_command(const char *topic);

/* The usage, for `help` and after a wrong command line. */
void help_usage(int to_fd);

/* Read the configuration, in place of one that was read before, and choose the sources; secrets
 * that it names are fetched until then, or with 0 none. 0, or the exit code of one that cannot be
 * used, all faults of which have been said and are lines of `why`; one that was read before stays
 * then. */
int app_configure(struct app *app, int64_t fetch_until_mono_ns, struct buf *why);

/* Print the one line of an error and give its exit code. */
int app_fail(const struct app *app, const struct error *err);

/* Write a text to stdout, whole; a failure is an error, as nobody got what was asked for. */
int app_print(const struct app *app, const struct buf *text);

#endif
