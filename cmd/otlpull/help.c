/* help.c -- `otlpull help`: the commands, one of them, or the source types from their own tables.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

static const char usage[] =
    "otlpull -- fetches an app's logs from its platform and delivers them to an OpenTelemetry "
    "Collector\n"
    "\n"
    "usage: otlpull COMMAND [OPTION...]\n"
    "\n"
    "  run      one run: from each source's checkpoint to now, then exit\n"
    "  lambda   AWS Lambda's custom runtime: one run an invocation, bounded by its deadline\n"
    "  check    read the configuration and print it as it will be used; makes no call\n"
    "  status   per source: checkpoint, lag, backlog, last run, budget, gaps; no call, but "
    "--stats\n"
    "  dead-letter list\n"
    "           the records that the collector refused one by one, and what it said\n"
    "  dead-letter replay\n"
    "           send them again: what it takes now is removed, the rest kept\n"
    "  help     this, or more about a COMMAND, `sources` or `exit`\n"
    "\n"
    "  -c, --config FILE      otherwise $OTLPULL_CONFIG, /etc/otlpull/otlpull.yaml, or the\n"
    "                         environment alone\n"
    "  --source NAME          only this source; may be repeated\n"
    "  --deadline DURATION    run: stop in good order before it\n"
    "  --shard I/N            run: only the sources of this shard, 0 to N-1\n"
    "  --dry-run              run, replay: print what would be sent; send nothing\n"
    "  --stats                status: the platform's own counts too, by a call, where it has them\n"
    "  --json                 status: as JSON; list: the letters themselves, a JSON object a line\n"
    "  --log-level LEVEL      debug, info, warn or error\n"
    "  --log-format FORMAT    text or json\n"
    "  --quiet                nothing but warnings and errors\n"
    "  --version\n";

static const char run_help[] =
    "usage: otlpull run [-c FILE] [--source NAME]... [--shard I/N] [--deadline DURATION]\n"
    "                   [--dry-run] [--quiet]\n"
    "\n"
    "Fetches what is new since each source's checkpoint, up to now less its lag, sends it to the\n"
    "collector, moves the checkpoint past what was accepted, and exits. A second run beside it "
    "finds\n"
    "the source held and leaves it alone.\n"
    "\n"
    "  --deadline DURATION    stop in good order before it; the next run goes on from there\n"
    "  --shard I/N            of N runs side by side this is the I-th, from 0: each works its own\n"
    "                         apps. By default $JOB_COMPLETION_INDEX of $OTLPULL_SHARDS, where\n"
    "                         the latter is set\n"
    "  --dry-run              fetch, print OTLP/JSON to stdout; send nothing, move no checkpoint\n";

static const char lambda_help[] =
    "usage: otlpull lambda [-c FILE] [--source NAME]... [--shard I/N] [--deadline DURATION]\n"
    "                      [--quiet]\n"
    "\n"
    "AWS Lambda's custom runtime: what a binary named `bootstrap` does, or one that is started\n"
    "without a command where AWS_LAMBDA_RUNTIME_API is set. Each invocation is one run, which "
    "ends\n"
    "in good order before the invocation's deadline; its answer is the run's summary as JSON, its\n"
    "error one of\n"
    "\n"
    "  exit code  errorType                      exit code  errorType\n"
    "         64  Runtime.UsageInvalid                  75  Function.PlatformUnavailable\n"
    "         69  Function.CollectorUnavailable         77  Function.CredentialsRefused\n"
    "         70  Runtime.Defect                        78  Runtime.ConfigInvalid\n"
    "         73  Function.StateNotCreated               -  Function.EventInvalid\n"
    "         74  Function.StateUnavailable              -  Function.TimeoutTooShort\n"
    "\n"
    "An event {\"sources\": [\"NAME\"]} runs these sources; any other JSON, a schedule's event "
    "among\n"
    "it, all.\n";

static const char check_help[] = "usage: otlpull check [-c FILE]\n"
                                 "\n"
                                 "Prints the configuration as it will be used, every default in "
                                 "place and secrets as ***, or all of\n"
                                 "its faults with file, line and column (exit code 78).\n";

static const char status_help[] =
    "usage: otlpull status [-c FILE] [--source NAME]... [--json] [--stats]\n"
    "\n"
    "Prints what the state says of each source. Makes no call and may be used while a run is on.\n"
    "\n"
    "  --stats                the platform's own counts beside ours, where it has them (hoody): a\n"
    "                         call of the source's budget\n";

static const char dead_letter_help[] =
    "usage: otlpull dead-letter list   [-c FILE] [--source NAME]... [--json]\n"
    "       otlpull dead-letter replay [-c FILE] [--source NAME]... [--dry-run] [--quiet]\n"
    "\n"
    "Records that the collector refused even alone are kept in source-NAME.dead-letter.jsonl in "
    "the\n"
    "state, with its answer (unless state.dead_letter is drop).\n"
    "\n"
    "list prints when each was refused, of which source, the status and the collector's words, "
    "which\n"
    "may quote the record; of a source that the configuration does not have, too.\n"
    "\n"
    "  --json                 the lines themselves, with the records\n"
    "\n"
    "replay sends them again, with the source's resource and scope. What the collector takes now "
    "is\n"
    "removed; what it refuses again stays, with its new answer (exit code 69). A line that is no\n"
    "dead letter stays as it is, and is named (74). A run beside it finds the source held.\n"
    "\n"
    "  --dry-run              print OTLP/JSON to stdout; send and remove nothing\n";

static const char exit_help[] =
    "exit codes\n"
    "\n"
    "   0  all that was due is delivered; or the deadline came first, or another run holds the "
    "lock\n"
    "  64  usage\n"
    "  69  the collector could not be reached, or refused past its retries; worth retrying\n"
    "  70  a defect of otlpull\n"
    "  73  the state cannot be created\n"
    "  74  the state cannot be read or written\n"
    "  75  the platform failed past its retries, or answered nonsense; worth retrying\n"
    "  77  credentials refused by the platform or the collector\n"
    "  78  configuration, or no such app or environment\n";

static const struct topic {
    const char *name, *text;
} topics[] = {
    { "run", run_help },       { "check", check_help },
    { "status", status_help }, { "dead-letter", dead_letter_help },
    { "exit", exit_help },     { "lambda", lambda_help },
};

void help_usage(int to_fd)
{
    ssize_t n = write(to_fd, usage, sizeof(usage) - 1);
    (void)n; /* there is nobody else to tell */
}

static void print_sources(void)
{
    const struct source *source;
    for (size_t i = 0; (source = source_at(i)); i++) {
        printf("type: %s -- %s\n", source->name, source->summary);
        if (source->endpoint)
            printf("  %-22s default %s\n", "endpoint", source->endpoint);
        for (const struct field *f = source->fields; f->name; f++)
            printf("  %-22s %s%s%s%s%s%s\n", f->name, f->help, f->required ? " (required)" : "",
                   f->env ? "; or $" : "", f->env ? f->env : "", f->fallback ? "; default " : "",
                   f->fallback ? f->fallback : "");
    }
}

int help_command(const char *topic)
{
    if (!topic) {
        help_usage(STDOUT_FILENO);
        return 0;
    }
    if (strcmp(topic, "sources") == 0) {
        print_sources();
        return fflush(stdout) ? error_exit_code(ERR_STATE) : 0;
    }
    for (size_t i = 0; i < COUNT(topics); i++) {
        if (strcmp(topic, topics[i].name) == 0) {
            fputs(topics[i].text, stdout);
            return fflush(stdout) ? error_exit_code(ERR_STATE) : 0;
        }
    }
    fprintf(stderr,
            "otlpull: no help on \"%s\": run, lambda, check, status, dead-letter, sources, exit\n",
            topic);
    return error_exit_code(ERR_USAGE);
}
