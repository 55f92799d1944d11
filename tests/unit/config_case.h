/* config_case.h -- one configuration from a text and an environment, for the tests of config_*.c.
 */
#ifndef OTLPULL_TESTS_CONFIG_CASE_H
#define OTLPULL_TESTS_CONFIG_CASE_H

#include "tests/unit/check.h"
#include "config.h"

#define CASE_FILE "c.yaml"

/* What a row may begin with. */
#define MINIMAL                                                                                    \
    "sources:\n"                                                                                   \
    "  - {name: a, type: forge, app_id: A, environment_id: E, email: m, api_token: t}\n"
#define IN_SOURCE                                                                                  \
    "sources:\n"                                                                                   \
    "  - name: a\n"                                                                                \
    "    type: forge\n"                                                                            \
    "    app_id: A\n"                                                                              \
    "    environment_id: E\n"                                                                      \
    "    email: m\n"                                                                               \
    "    api_token: t\n" /* what comes next is line 8 */

/* An environment; ends with a name of NULL. */
struct variable {
    const char *name, *value;
};

struct loaded {
    struct config cfg;
    struct buf faults, warnings;
    struct error err;
    int rc;
};

static inline const char *case_getenv(void *self, const char *name)
{
    for (const struct variable *v = self; v && v->name; v++) {
        if (strcmp(v->name, name) == 0)
            return v->value;
    }
    return NULL;
}

/* `text` NULL: the environment alone. */
static inline void case_load(struct loaded *l, const char *text, const struct variable *env)
{
    struct config_input in = { .path = text ? CASE_FILE : NULL,
                               .getenv = case_getenv,
                               .self = (void *)env };
    *l = (struct loaded){ .faults = BUF_INIT(1 << 20), .warnings = BUF_INIT(1 << 16) };
    if (text)
        l->rc = config_load_text(&l->cfg, bytes_of(text), &in, &l->faults, &l->warnings, &l->err);
    else
        l->rc = config_load(&l->cfg, &in, &l->faults, &l->warnings, &l->err);
    if (l->rc) {
        assert_int_equal(l->err.kind, ERR_CONFIG);
        assert_null(l->cfg.memory);
    } else {
        assert_int_equal(l->faults.len, 0);
    }
}

static inline void case_release(struct loaded *l)
{
    config_release(&l->cfg);
    buf_release(&l->faults);
    buf_release(&l->warnings);
}

/* A text and all that is told of it: faults, or warnings where it has none. */
struct told {
    const char *name, *text, *lines;
};

static inline void case_told(const struct told *row, const struct variable *env)
{
    struct loaded l;
    case_load(&l, row->text, env);
    const char *got = buf_text(l.rc ? &l.faults : &l.warnings);
    check_row(row->name);
    check_text(got, row->lines);
    case_release(&l);
}

#endif
