/* dead_letter.c -- `otlpull dead-letter list` and `replay`: the records that the collector refused
 * one by one. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "dead_letter.h"
#include "net/http.h"
#include "replay.h"
#include "state/store.h"

#define NAMES_MAX ((size_t)16 << 20)
/* After SIGTERM: a request may end, so that its records need not go again. */
#define STOP_GRACE_NS (1500 * NS_PER_MS)

static bool is_configured(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->config.source_count; i++) {
        if (strcmp(app->config.sources[i].stream.name, name) == 0)
            return true;
    }
    return false;
}

/* Do so with each source that has dead letters and is not in the configuration, where no --source
 * says which are meant. `each` gives an exit code; the worst of all, and of `code`. */
static int for_each_unknown(struct app *app, struct store *store, int code,
                            int (*each)(struct app *app, struct store *store, const char *source))
{
    struct error err = { 0 };
    struct buf names = BUF_INIT(NAMES_MAX);
    if (app->flags.source_count == 0 && dead_letter_sources(store, &names, &err))
        code = error_worse_exit_code(code, app_fail(app, &err));
    for (char *at = names.data; at && *at;) {
        char *end = at + strcspn(at, "\n");
        *end = '\0';
        if (!is_configured(app, at))
            code = error_worse_exit_code(code, each(app, store, at));
        at = end + 1;
    }
    buf_release(&names);
    return code;
}

/* ---- list --------------------------------------------------------------------------------------
 */

/* The collector's words as text for a terminal: without control characters. */
static void put_words(struct otlp_text raw, struct buf *out)
{
    size_t at = out->len;
    if (!buf_reserve(out, raw.len))
        return;
    size_t len = otlp_unescape(raw, out->data + at, raw.len);
    if (len == OTLP_NONE)
        return;
    out->len += len;
    for (; at < out->len; at++) {
        unsigned char c = (unsigned char)out->data[at];
        bool c1 = c == 0xc2 && at + 1 < out->len && (unsigned char)out->data[at + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c1)
            out->data[at] = ' ';
        if (c1)
            out->data[++at] = ' ';
    }
}

static void print_letter(const char *source, const struct letter *letter, struct buf *out)
{
    char time[TIMEFMT_MAX];
    timefmt_rfc3339(letter->unix_ns, 3, time);
    buf_reset(out);
    buf_printf(out, "%s %s %d ", time, source, letter->status);
    put_words(letter->answer, out);
    buf_append_char(out, '\n');
    fwrite(buf_text(out), 1, out->len, stdout);
}

static int print_letters(const struct app *app, struct dead_letters *d, struct error *err)
{
    struct buf text = BUF_INIT(DEAD_LETTERS_MAX);
    struct bytes line = { 0 };
    uint64_t bytes = 0;
    size_t count = 0;
    int rc;
    while ((rc = dead_letters_next(d, &line, err)) == 0 && line.len > 0) {
        struct letter letter;
        const char *why = NULL;
        bytes += line.len;
        if (!dead_letters_read(d, line, &letter, &why)) {
            dead_letters_note(d, why);
            continue;
        }
        count++;
        if (!app->flags.json) {
            print_letter(d->source, &letter, &text);
            continue;
        }
        fwrite(line.data, 1, line.len, stdout);
        if (line.data[line.len - 1] != '\n')
            putchar('\n');
    }
    if (!app->flags.json)
        printf("%s: %zu dead letter%s, %llu bytes%s\n", d->source, count, count == 1 ? "" : "s",
               (unsigned long long)bytes,
               is_configured(app, d->source) ? "" : "; the configuration has no such source");
    buf_release(&text);
    return rc;
}

static int list_source(struct app *app, struct store *store, const char *source)
{
    struct error err = { 0 };
    struct dead_letters letters;
    uint64_t bytes = 0;
    int code = 0;
    int rc = dead_letters_size(store, source, &bytes, &err);
    if (rc || bytes == 0)
        return rc ? app_fail(app, &err) : 0;
    if (dead_letters_open(&letters, store, source, &err) || print_letters(app, &letters, &err))
        code = app_fail(app, &err);
    if (dead_letters_damage(&letters, &err))
        code = app_fail(app, &err);
    dead_letters_close(&letters);
    return code;
}

int dead_letter_list_command(struct app *app)
{
    struct store *store = store_open_for_reading(app->config.state_path, &app->clk);
    const struct buf nothing = BUF_INIT(0);
    int code = 0;
    for (size_t i = 0; i < app->config.source_count; i++) {
        if (app->chosen[i])
            code = error_worse_exit_code(
                code, list_source(app, store, app->config.sources[i].stream.name));
    }
    code = for_each_unknown(app, store, code, list_source);
    store->close(store);
    return error_worse_exit_code(code, app_print(app, &nothing)); /* all that is on its way */
}

/* ---- replay ------------------------------------------------------------------------------------
 */

struct figures {
    int64_t sources, exported, refused;
    int exit_code;
};

static void say_summary(struct app *app, const struct figures *f, const struct export_counts *n,
                        int64_t began_mono_ns)
{
    char seconds[32];
    int64_t elapsed_ns = clock_mono_ns(&app->clk) - began_mono_ns;
    snprintf(seconds, sizeof(seconds), "%.3f", (double)elapsed_ns / (double)NS_PER_S);
    const struct diag_field fields[] = {
        { "sources", NULL, f->sources },   { "exported", NULL, f->exported - n->rejected },
        { "rejected", NULL, n->rejected }, { "refused", NULL, f->refused },
        { "retries", NULL, n->retries },   { "bytes", NULL, n->bytes },
        { "seconds", seconds, 0 },         { "exit", NULL, f->exit_code },
    };
    const char *what = clock_stopped(&app->clk) ? "replay stopped by a signal, progress is kept"
                       : f->exit_code           ? "replay failed"
                       : app->flags.dry_run     ? "replay printed, and sent nothing"
                                                : "replay complete";
    diag_event(&app->diag, DIAG_INFO, what, fields, COUNT(fields));
}

/* What went wrong with one source, in a line each; the exit code. */
static int report(const struct app *app, const char *source, const struct replay_result *result,
                  struct error *err)
{
    struct error damaged = result->damaged;
    int code = error_exit_code(err->kind);
    if (err->kind)
        error_within(err, "source %s", source);
    if (err->kind == ERR_LOCKED)
        diag_say(&app->diag, DIAG_INFO, "%s; left to it", err->text);
    else if (err->kind && err->kind != ERR_STOPPED) /* the summary says that */
        app_fail(app, err);
    if (result->refused > 0) {
        struct error refused;
        error_set(&refused, ERR_COLLECTOR,
                  "source %s: the collector refuses %lld dead letter%s again (%d): kept", source,
                  (long long)result->refused, result->refused > 1 ? "s" : "", result->last_status);
        code = error_worse_exit_code(code, app_fail(app, &refused));
    }
    if (damaged.kind) {
        error_within(&damaged, "source %s", source);
        code = error_worse_exit_code(code, app_fail(app, &damaged));
    }
    return code;
}

static int say_left(struct app *app, struct store *store, const char *source)
{
    struct error err = { 0 };
    uint64_t bytes = 0;
    if (dead_letters_size(store, source, &bytes, &err))
        return app_fail(app, &err);
    if (bytes > 0)
        diag_say(&app->diag, DIAG_WARN,
                 "source %s: the configuration has no such source: its dead letters are left as "
                 "they are",
                 source);
    return 0;
}

/* Only what is rejected by name is gone, and is said. */
static void say_rejected(const struct app *app, const char *source, int64_t rejected)
{
    if (rejected > 0)
        diag_say(&app->diag, DIAG_WARN,
                 "source %s: the collector rejected %lld record%s of a batch (partial success)",
                 source, (long long)rejected, rejected > 1 ? "s" : "");
}

static void replay_sources(struct app *app, const struct replay *r, struct figures *f)
{
    for (size_t i = 0; i < app->config.source_count && !clock_stopped(&app->clk); i++) {
        const struct source_config *source = &app->config.sources[i];
        struct replay_result result;
        struct error err = { 0 };
        int64_t rejected = r->ex->counts.rejected;
        if (!app->chosen[i])
            continue;
        replay_source(r, source, &result, &err);
        say_rejected(app, source->stream.name, r->ex->counts.rejected - rejected);
        f->sources += result.any && err.kind != ERR_LOCKED;
        f->exported += result.sent;
        f->refused += result.refused;
        f->exit_code = error_worse_exit_code(f->exit_code,
                                             report(app, source->stream.name, &result, &err));
    }
    f->exit_code = for_each_unknown(app, r->store, f->exit_code, say_left);
}

int dead_letter_replay_command(struct app *app)
{
    struct error err = { 0 };
    struct figures figures = { 0 };
    struct export ex;
    atomic_bool accepted = true;
    int64_t began = clock_mono_ns(&app->clk);
    const char *path = app->config.state_path;
    const struct http_options options = { .peer = &app->config.exporter.peer,
                                          .clk = &app->clk,
                                          .stop_grace_ns = STOP_GRACE_NS,
                                          .status_suffices = true };
    struct store *store = app->flags.dry_run ? store_open_for_reading(path, &app->clk)
                                             : store_open(path, &app->clk, &err);
    if (!store)
        return app_fail(app, &err);
    if (http_global_init(&err)) {
        store->close(store);
        return app_fail(app, &err);
    }
    struct http *http = http_create(&options);
    export_init(&ex, &app->config.exporter, http, &app->clk, &accepted);
    const struct replay replay = { &app->config, store, &app->clk, &ex, app->flags.dry_run };
    replay_sources(app, &replay, &figures);
    say_summary(app, &figures, &ex.counts, began);
    export_release(&ex);
    http_destroy(http);
    http_global_release();
    store->close(store);
    return figures.exit_code;
}
