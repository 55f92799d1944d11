/* source.h -- the one plug for a platform: data and two pure functions. A source does no I/O, keeps
 * no clock and knows no state: a request out, records in. README.md tells how to add one. */
#ifndef OTLPULL_SOURCE_SOURCE_H
#define OTLPULL_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/request.h"
#include "otlp/otlp.h"

enum field_kind {
    FIELD_STRING,   /* text */
    FIELD_URL,      /* http:// or https://, no user, query or fragment; number is unused */
    FIELD_INT,      /* number, within min..max */
    FIELD_FLOAT,    /* real, within min..max */
    FIELD_BOOL,     /* number: 0 or 1 */
    FIELD_DURATION, /* number: nanoseconds, within min..max */
    FIELD_SIZE,     /* number: bytes, within min..max */
    FIELD_ENUM,     /* text: one of choices */
    FIELD_STRINGS,  /* list of texts */
    FIELD_ENUMS,    /* list of texts, each one of choices, each at most once */
    FIELD_MAP,      /* map of texts */
};

/* One setting: the single truth for checks, defaults, redaction and help. */
struct field {
    const char *name;
    enum field_kind kind;
    bool required;
    bool secret;                /* shown as *** */
    const char *fallback;       /* default, as it would be written; NULL: unset */
    int64_t min, max;           /* both 0: no bounds of its own */
    const char *const *choices; /* of ENUM and ENUMS; NULL-terminated */
    const char *env;            /* the variable that fills it in environment-only mode, or NULL */
    const char *resource;       /* the resource attribute that it is sent as, or NULL */
    const char *help;           /* one line */
};

/* A setting's value, as its kind says; the i-th belongs to the i-th field. */
struct setting {
    bool set; /* by the user, the environment or the default */
    const char *text;
    int64_t number;
    double real;
    const char *const *list;
    size_t list_count;
    const struct pairs *map;
};

/* Vendor facts. */
struct limits {
    int calls;            /* most calls per period and app */
    int64_t period_ns;    /* ... */
    int64_t span_ns;      /* longest window; 0: none */
    int64_t retention_ns; /* how far back history goes; 0: none known */
    int64_t wait_ns;      /* after a 429 that names no time */
};

struct source;

/* One configured entry of a type, as its two functions see it. */
struct stream {
    const char *name;
    const struct source *type;
    const char *endpoint; /* no slash at the end */
    const struct setting *settings;
};

/* A stretch of time to ask for. */
struct span {
    int64_t start_unix_ns, end_unix_ns;
};

/* Where to go on inside a span: the type's own text. */
struct cursor {
    bool more; /* false: the span is drained */
    struct buf text;
};

#define CURSOR_MAX 16384

/* What one frame held. */
struct page {
    struct otlp_record *records; /* spans of the frame's bytes, which must outlive them */
    size_t count, capacity;
    struct cursor next;
};

#define PAGE_INIT                                                                                  \
    {                                                                                              \
        .next = {.text = BUF_INIT(CURSOR_MAX) }                                                    \
    }

/* Room for one more record, whose fields are to be set; NULL: more than a page may hold (2^20). */
struct otlp_record *page_add(struct page *page);
void page_reset(struct page *page); /* empty, memory kept */
void page_release(struct page *page);

struct attribute {
    const char *key, *value;
};

struct source {
    const char *name, *summary;       /* `type:` in the config, never renamed; one line of help */
    const struct field *fields;       /* its settings; ends with a name of NULL */
    const char *endpoint;             /* default base URL */
    const char *endpoint_env;         /* variable that sets it in environment-only mode */
    const struct attribute *resource; /* constant resource attributes; ends with a key of NULL */
    int service_name;                 /* index of the field that names the service by default */
    int budget;                       /* index of the field that names who is rated: the app */
    struct limits limits;
    /* Write the request for `span`, or for its next page where `at` names one (at->text.len > 0).
     */
    int (*request)(const struct stream *st, const struct span *span, const struct cursor *at,
                   struct request *out, struct error *err);
    /* Read one untrusted frame that answers `at`: add its records to `out` and set out->next. The
     * frame is all or nothing: on an error (ERR_INPUT) nothing in `out` may be used. */
    int (*decode)(const struct stream *st, const struct cursor *at, struct bytes frame,
                  struct page *out, struct error *err);
};

/* The table of types; source_at() gives NULL past its end. */
const struct source *source_at(size_t i);
const struct source *source_named(const char *name); /* NULL: there is none */

/* Whose logs these are: the type and the settings that name where records come from. A state of one
 * is none of another. */
#define STREAM_IDENTITY_BYTES 256
void stream_identity(const struct stream *st, char out[STREAM_IDENTITY_BYTES]);

extern const struct source source_forge;

#endif
