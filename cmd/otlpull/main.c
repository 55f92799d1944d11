/* main.c -- flags, signals, the table of subcommands; alone prints errors and picks exit codes. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"
#include "aws/secrets.h"
#include "base/timefmt.h"

#define DEFAULT_CONFIG "/etc/otlpull/otlpull.yaml"
#define SECRETS_NS     (30 * NS_PER_S) /* for all that the configuration names */

enum flag {
    FLAG_CONFIG = 1 << 0,
    FLAG_SOURCE = 1 << 1,
    FLAG_DEADLINE = 1 << 2,
    FLAG_DRY_RUN = 1 << 3,
    FLAG_LOG = 1 << 4,
    FLAG_QUIET = 1 << 5,
    FLAG_JSON = 1 << 6,
    FLAG_SHARD = 1 << 7,
    FLAG_STATS = 1 << 9,
    OWN_CONFIG = 1 << 8, /* no flag: the command reads the configuration itself */
    FLAGS_ALL = FLAG_CONFIG | FLAG_LOG | FLAG_QUIET, /* what every command takes */
};

/* One of these flags, as it is typed. */
static const char *flag_name(int flags)
{
    static const char *const names[] = { "--config",  "--source", "--deadline", "--dry-run",
                                         "--log-...", "--quiet",  "--json",     "--shard",
                                         "",          "--stats" };
    size_t i = 0;
    while (i + 1 < COUNT(names) && !(flags & 1 << i))
        i++;
    return names[i];
}

static const struct command {
    const char *name, *action; /* NULL: it has no second word */
    int flags;                 /* that it takes */
    int (*run)(struct app *app);
} commands[] = {
    { "run", NULL, FLAGS_ALL | FLAG_SOURCE | FLAG_SHARD | FLAG_DEADLINE | FLAG_DRY_RUN,
      run_command },
    { "lambda", NULL, FLAGS_ALL | FLAG_SOURCE | FLAG_SHARD | FLAG_DEADLINE | OWN_CONFIG,
      lambda_command },
    { "check", NULL, FLAGS_ALL, check_command },
    { "status", NULL, FLAGS_ALL | FLAG_SOURCE | FLAG_JSON | FLAG_STATS, status_command },
    { "dead-letter", "list", FLAGS_ALL | FLAG_SOURCE | FLAG_JSON, dead_letter_list_command },
    { "dead-letter", "replay", FLAGS_ALL | FLAG_SOURCE | FLAG_DRY_RUN, dead_letter_replay_command },
};

enum option_value {
    OPT_SOURCE = 256,
    OPT_DEADLINE,
    OPT_DRY_RUN,
    OPT_LOG_LEVEL,
    OPT_LOG_FORMAT,
    OPT_QUIET,
    OPT_JSON,
    OPT_SHARD,
    OPT_STATS,
    OPT_VERSION
};

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' },
    { "source", required_argument, NULL, OPT_SOURCE },
    { "deadline", required_argument, NULL, OPT_DEADLINE },
    { "dry-run", no_argument, NULL, OPT_DRY_RUN },
    { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
    { "log-format", required_argument, NULL, OPT_LOG_FORMAT },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "json", no_argument, NULL, OPT_JSON },
    { "shard", required_argument, NULL, OPT_SHARD },
    { "stats", no_argument, NULL, OPT_STATS },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

/* The signal flag: which signal came, and a pipe that wakes whoever waits. */
static volatile sig_atomic_t signal_seen;
static int signal_pipe[2] = { -1, -1 };

static void on_signal(int sig)
{
    int saved_errno = errno;
    signal_seen = sig;
    ssize_t n = write(signal_pipe[1], "", 1); /* full: then it is readable already */
    (void)n;
    errno = saved_errno;
}

static int catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK))
        return -1;
    sigemptyset(&action.sa_mask);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file over its limit is a write that fails */
    return sigaction(SIGTERM, &action, NULL) || sigaction(SIGINT, &action, NULL) ? -1 : 0;
}

/* Die of the signal, as a shell expects of who was stopped by one; PID 1 of a container cannot. */
static _Noreturn void die_of_signal(int sig)
{
    signal(sig, SIG_DFL);
    raise(sig);
    _exit(128 + sig);
}

int app_fail(const struct app *app, const struct error *err)
{
    diag_say(&app->diag, DIAG_ERROR, "%s", err->text);
    return error_exit_code(err->kind);
}

int app_print(const struct app *app, const struct buf *text)
{
    struct error err;
    if (fwrite(buf_text(text), 1, text->len, stdout) == text->len && fflush(stdout) == 0)
        return 0;
    error_set(&err, ERR_STATE, "stdout cannot be written: %s", strerror(errno));
    return app_fail(app, &err);
}

static int usage_error(const struct app *app, const struct error *err)
{
    diag_say(&app->diag, DIAG_ERROR, "%s (see otlpull help)", err->text);
    return error_exit_code(ERR_USAGE);
}

static int index_of(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(word, words[i]) == 0)
            return i;
    }
    return -1;
}

static int bad_value(const char *flag, const char *takes, struct error *err)
{
    return error_set(err, ERR_USAGE, "--%s takes %s, got \"%s\"", flag, takes, optarg);
}

static int read_flag(int opt, struct flags *f, int *used, struct error *err)
{
    static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
    static const char *const formats[] = { "text", "json", NULL };
    switch (opt) {
    case 'c':
        *used |= FLAG_CONFIG;
        f->config = optarg;
        return 0;
    case OPT_SOURCE:
        *used |= FLAG_SOURCE;
        if (f->source_count == SOURCE_FLAGS_MAX)
            return error_set(err, ERR_USAGE, "--source more than %d times", SOURCE_FLAGS_MAX);
        f->sources[f->source_count++] = optarg;
        return 0;
    case OPT_DEADLINE:
        *used |= FLAG_DEADLINE;
        if (!timefmt_parse_duration(bytes_of(optarg), &f->deadline_ns) || f->deadline_ns == 0)
            return bad_value("deadline", "a duration such as 55s or 4m30s", err);
        return 0;
    case OPT_DRY_RUN:
        *used |= FLAG_DRY_RUN;
        f->dry_run = true;
        return 0;
    case OPT_LOG_LEVEL:
        *used |= FLAG_LOG;
        f->log_level = index_of(optarg, levels);
        return f->log_level < 0 ? bad_value("log-level", "debug, info, warn or error", err) : 0;
    case OPT_LOG_FORMAT:
        *used |= FLAG_LOG;
        f->log_format = index_of(optarg, formats);
        return f->log_format < 0 ? bad_value("log-format", "text or json", err) : 0;
    case OPT_QUIET:
        *used |= FLAG_QUIET;
        f->quiet = true;
        return 0;
    case OPT_JSON:
        *used |= FLAG_JSON;
        f->json = true;
        return 0;
    case OPT_STATS:
        *used |= FLAG_STATS;
        f->stats = true;
        return 0;
    case OPT_SHARD:
        *used |= FLAG_SHARD;
        return shard_parse_pair(bytes_of(optarg), &f->shard)
                   ? 0
                   : bad_value("shard", "I/N with I from 0 to N-1, such as 0/4", err);
    case 'h':
        f->help = true;
        return 0;
    case OPT_VERSION:
        f->version = true;
        return 0;
    default:
        return error_set(err, ERR_BUG, "option %d is not handled", opt);
    }
}

/* Options may stand before and after the command. `words` are what is left: the command, its topic.
 */
static int read_command_line(int argc, char **argv, struct flags *f, int *used, struct error *err)
{
    int opt;
    *f = (struct flags){ .log_level = -1, .log_format = -1 };
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        if (opt == '?' || opt == ':')
            return error_set(err, ERR_USAGE, opt == ':' ? "%s takes a value" : "no option %s",
                             argv[optind - 1]);
        if (read_flag(opt, f, used, err))
            return -1;
    }
    return 0;
}

static void set_diag(struct app *app, int level, int format)
{
    app->diag.level = (enum diag_level)(app->flags.log_level >= 0 ? app->flags.log_level : level);
    app->diag.json = (app->flags.log_format >= 0 ? app->flags.log_format : format) == LOG_JSON;
    if (app->flags.quiet && app->diag.level < DIAG_WARN)
        app->diag.level = DIAG_WARN;
}

static const char *environment(void *self, const char *name)
{
    (void)self;
    return getenv(name);
}

static const char *config_path(const struct flags *f)
{
    const char *path = f->config ? f->config : getenv("OTLPULL_CONFIG");
    if (path && *path)
        return path;
    return access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
}

/* Say each line of a text, which is taken apart for it; how many they were. */
static int say_lines(const struct app *app, enum diag_level level, struct buf *lines)
{
    int count = 0;
    for (char *at = lines->data; at && *at; count++) {
        char *end = at + strcspn(at, "\n");
        char *next = *end ? end + 1 : end;
        *end = '\0';
        diag_event(&app->diag, level, at, NULL, 0);
        at = next;
    }
    return count;
}

static int choose_sources(struct app *app, struct error *err)
{
    const struct flags *f = &app->flags;
    free(app->chosen);
    app->chosen = xcalloc(app->config.source_count, sizeof(*app->chosen));
    for (size_t i = 0; i < app->config.source_count; i++)
        app->chosen[i] = f->source_count == 0;
    for (int n = 0; n < f->source_count; n++) {
        bool known = false;
        for (size_t i = 0; i < app->config.source_count; i++) {
            if (strcmp(f->sources[n], app->config.sources[i].stream.name) == 0)
                app->chosen[i] = known = true;
        }
        if (!known)
            return error_set(err, ERR_USAGE, "--source %s: the configuration has no such source",
                             f->sources[n]);
    }
    return 0;
}

/* Put what the configuration says now, with all secrets that it names, in the place of what it was.
 */
static int load(struct app *app, int64_t fetch_until_mono_ns, struct buf *faults,
                struct buf *warnings, struct error *err)
{
    struct config config;
    struct secrets secrets = { .clk = &app->clk,
                               .getenv = environment,
                               .deadline_mono_ns = fetch_until_mono_ns };
    const struct config_input input = { .path = config_path(&app->flags),
                                        .getenv = environment,
                                        .fetch_secret = fetch_until_mono_ns ? secrets_fetch : NULL,
                                        .secrets = &secrets };
    int rc = config_load(&config, &input, faults, warnings, err);
    secrets_release(&secrets);
    if (rc)
        return -1;
    config_release(&app->config);
    app->config = config;
    set_diag(app, (int)config.log_level, (int)config.log_format);
    return 0;
}

int app_configure(struct app *app, int64_t fetch_until_mono_ns, struct buf *why)
{
    struct buf faults = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);
    struct error err = { 0 };
    int code = 0;
    int rc = load(app, fetch_until_mono_ns, &faults, &warnings, &err);
    say_lines(app, DIAG_WARN, &warnings);
    buf_append_bytes(why, buf_bytes(&faults));
    int said = say_lines(app, DIAG_ERROR, &faults);
    if (rc && said == 1) /* a single fault has said it all */
        code = error_exit_code(err.kind);
    else if (rc)
        code = app_fail(app, &err);
    else if (choose_sources(app, &err))
        code = usage_error(app, &err);
    if (err.kind && why->len == 0)
        buf_append_text(why, err.text);
    buf_release(&faults);
    buf_release(&warnings);
    return code;
}

/* The command that the words name, all of them; NULL with an error. */
static const struct command *command_of(char *const *words, int count, struct error *err)
{
    bool known = false;
    for (size_t i = 0; i < COUNT(commands); i++) {
        const struct command *c = &commands[i];
        int own = c->action ? 2 : 1;
        if (strcmp(c->name, words[0]) != 0)
            continue;
        known = true;
        if (c->action && (count < 2 || strcmp(c->action, words[1]) != 0))
            continue;
        if (count == own)
            return c;
        error_set(err, ERR_USAGE, "%s takes no argument \"%s\"", words[own - 1], words[own]);
        return NULL;
    }
    if (known)
        error_set(err, ERR_USAGE, "%s takes list or replay", words[0]);
    else
        error_set(err, ERR_USAGE, "no command \"%s\"", words[0]);
    return NULL;
}

/* Once, before the command; `check` makes no call. */
static int configure(struct app *app, bool fetch)
{
    int64_t ns = app->flags.deadline_ns;
    int64_t limit_ns = ns && ns < SECRETS_NS ? ns : SECRETS_NS;
    struct buf why = BUF_INIT(1 << 20); /* it is said already */
    int code = app_configure(app, fetch ? time_add(clock_mono_ns(&app->clk), limit_ns) : 0, &why);
    buf_release(&why);
    return code;
}

/* Lambda starts its `bootstrap` without a word; an emulator may give it the handler's name. */
static bool is_for_lambda(const char *program, const char *word)
{
    const char *slash = program ? strrchr(program, '/') : NULL;
    const char *name = slash ? slash + 1 : program, *api = getenv("AWS_LAMBDA_RUNTIME_API");
    return (name && strcmp(name, "bootstrap") == 0) || (!word && api && *api);
}

static int dispatch(struct app *app, int argc, char **argv)
{
    struct error err = { 0 };
    int used = 0;
    if (read_command_line(argc, argv, &app->flags, &used, &err))
        return usage_error(app, &err);
    set_diag(app, LOG_INFO, LOG_TEXT);
    const char *name = optind < argc ? argv[optind] : NULL;
    if (app->flags.version) {
        puts("otlpull " OTLPULL_VERSION);
        return fflush(stdout) ? error_exit_code(ERR_STATE) : 0;
    }
    if (name && strcmp(name, "help") == 0)
        return help_command(optind + 1 < argc ? argv[optind + 1] : NULL);
    if (app->flags.help)
        return help_command(name);
    bool lambda = is_for_lambda(argv[0], name);
    if (!name && !lambda) {
        help_usage(STDERR_FILENO);
        return error_exit_code(ERR_USAGE);
    }
    char *const lambda_words[] = { "lambda" };
    const struct command *command = lambda ? command_of(lambda_words, 1, &err)
                                           : command_of(argv + optind, argc - optind, &err);
    if (!command)
        return usage_error(app, &err);
    if (used & ~command->flags) {
        error_set(&err, ERR_USAGE, "%s does not take %s", command->name,
                  flag_name(used & ~command->flags));
        return usage_error(app, &err);
    }
    if (command->flags & OWN_CONFIG)
        return command->run(app);
    int code = configure(app, command->run != check_command);
    return code ? code : command->run(app);
}

/* A slow platform is asked much at once, each call by a connection of its own. */
static void allow_many_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files); /* or with as many as there are */
    }
}

int main(int argc, char **argv)
{
    struct app app = { 0 };
    if (catch_signals()) {
        perror("otlpull");
        return error_exit_code(ERR_BUG);
    }
    clock_init_system(&app.clk, signal_pipe[0]);
    app.diag = (struct diag){ .level = DIAG_INFO, .fd = STDERR_FILENO, .clk = &app.clk };
    allow_many_files();
    app.diag.journal = diag_is_journal(STDERR_FILENO, getenv("JOURNAL_STREAM"));
    int code = dispatch(&app, argc, argv);
    config_release(&app.config);
    free(app.chosen);
    if (signal_seen)
        die_of_signal(signal_seen);
    return code;
}
