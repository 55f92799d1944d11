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
    FIELD_STRING,    /* text */
    FIELD_URL,       /* http:// or https://, no user, query or fragment; number is unused */
    FIELD_WHOLE_URL, /* the same, which may have a query */
    FIELD_INT,       /* number, within min..max */
    FIELD_FLOAT,     /* real, within min..max */
    FIELD_BOOL,      /* number: 0 or 1 */
    FIELD_DURATION,  /* number: nanoseconds, within min..max */
    FIELD_SIZE,      /* number: bytes, within min..max */
    FIELD_ENUM,      /* text: one of choices */
    FIELD_STRINGS,   /* list of texts */
    FIELD_ENUMS,     /* list of texts, each one of choices, each at most once */
    FIELD_MAP,       /* map of texts */
};

/* One setting: the single truth for checks, defaults, redaction and help. */
struct field {
    const char *name;
    enum field_kind kind;
    bool required;
    bool secret;                /* shown as *** */
    bool identity;              /* it says whose logs these are, as all that are sent as resource */
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
    int64_t session_ns;   /* how long what prepare() gave is good for; 0: for the whole run */
};

/* Defaults of common settings that fit the type, as they would be written; NULL: the common one. */
struct defaults {
    const char *lookback, *lag, *overlap, *window;
};

struct source;

/* One configured entry of a type, as its two functions see it. */
struct stream {
    const char *name;
    const struct source *type;
    const char *endpoint; /* no slash at the end */
    const struct setting *settings;
    bool service_named; /* the configuration gives service.name itself */
};

/* A stretch of time to ask for. */
struct span {
    int64_t start_unix_ns, end_unix_ns;
};

/* What a frame is asked for with. */
struct ask {
    struct span span;
    struct bytes at;      /* where in it to go on: the type's own text; empty: its beginning */
    struct bytes session; /* what prepare() has given; empty: nothing, or it has not been asked */
};

/* Where to go on: the type's own text, kept in the state: never a credential. */
struct cursor {
    bool more; /* false: the span is drained */
    struct buf text;
};

#define CURSOR_MAX 16384

struct page_mark;
struct page_resource;

/* What one frame held. */
struct page {
    struct otlp_record *records; /* spans of the frame's bytes or of `text`, which outlive them */
    size_t count, capacity;
    /* Of a type that tails, the text after the last frame of a run (`more` is false) is where the
     * first one of the next run goes on. */
    struct cursor next;
    struct span lost; /* what should have been there and cannot be had any more; mostly empty */
    int status;       /* not 0: the frame says that it is no answer, in words of its own: as if HTTP
                         had come with this status */
    /* Records that are written rather than scanned, and their resources: entry.h. */
    struct buf text, resources;
    struct page_mark *marks;
    size_t mark_count, mark_capacity;
    bool in_attributes; /* of the record that is being written */
    struct page_resource *resource_list;
    size_t resource_count, resource_capacity;
};

#define PAGE_INIT                                                                                  \
    {                                                                                              \
        .next = { .text = BUF_INIT(CURSOR_MAX) }, .text = BUF_INIT(PAGE_TEXT_MAX),                 \
        .resources = BUF_INIT((size_t)1 << 26)                                                     \
    }
#define PAGE_TEXT_MAX ((size_t)1 << 30)

/* Room for one more record, whose fields are to be set; NULL: more than a page may hold (2^20). */
struct otlp_record *page_add(struct page *page);

/* The attributes that a record's resource has besides the configured ones: OTLP/JSON, separated by
 * commas; empty: none. */
struct bytes page_resource_of(const struct page *page, size_t record);

/* Of these, those that tell the record from another with the same text. */
struct bytes page_resource_key(const struct page *page, size_t record);

void page_reset(struct page *page); /* empty, memory kept */
void page_release(struct page *page);

struct attribute {
    const char *key, *value;
};

struct source {
    const char *name, *summary;       /* `type:` in the config, never renamed; one line of help */
    const struct field *fields;       /* its settings; ends with a name of NULL */
    const char *endpoint;             /* default base URL; NULL: it has no `endpoint` */
    const char *endpoint_env;         /* variable that sets it in environment-only mode */
    const struct attribute *resource; /* constant resource attributes; ends with a key of NULL */
    int service_name; /* index of the field that names the service by default; or -1 */
    int budget;       /* index of the field that names who is rated: the app */
    struct limits limits;
    struct defaults defaults;
    /* False: a span is asked for by its two ends, and any number of them side by side. True: by its
     * beginning alone, or not at all: one a run, drained to whatever there is by then, and the next
     * goes on where the last frame's `next` says. */
    bool tails;
    /* Write the request for the frame that `ask` names. With a session that is missing it need not
     * be one that can be sent, but must hold all that tells it from another. */
    int (*request)(const struct stream *st, const struct ask *ask, struct request *out,
                   struct error *err);
    /* Read one untrusted frame that answers `ask`: add its records to `out` and set out->next. The
     * frame is all or nothing: on an error (ERR_INPUT) nothing in `out` may be used. An empty frame
     * is an answer without content (204). */
    int (*decode)(const struct stream *st, const struct ask *ask, struct bytes frame,
                  struct page *out, struct error *err);
    /* May be NULL. What must be had before a frame can be asked for, and is given for a while: a
     * token, a URL. Write the request for what is missing beside what ask->session has, or leave
     * out->url empty: nothing is. Asked before each frame, until then. What it gives is held in
     * memory alone, and had anew after a 401 or 403. ERR_INPUT: ask->at is no cursor of ours. */
    int (*prepare)(const struct stream *st, const struct ask *ask, struct request *out,
                   struct error *err);
    /* Read its answer, an untrusted frame, into `session`, of which `ask` has the text as it was.
     * ERR_INPUT. */
    int (*prepared)(const struct stream *st, const struct ask *ask, struct bytes frame,
                    struct buf *session, struct error *err);
    /* May be NULL. What must hold between its settings: NULL where it does, else words on what is
     * wrong (no value of a setting in them), and in `*field` with which. */
    const char *(*check)(const struct setting *settings, int *field);
    /* May be NULL. Which status one that answers `ask` stands for, where it has a meaning of the
     * type's own. */
    int (*status)(const struct ask *ask, int status);
    /* May be NULL. The platform's own counts of what it keeps: a type whose frame, decoded, leaves
     * them in page->text: one JSON object of whole numbers, and of objects of them. */
    const struct source *stats;
};

/* The table of types; source_at() gives NULL past its end. */
const struct source *source_at(size_t i);
const struct source *source_named(const char *name); /* NULL: there is none */

/* Whose logs these are: the type and the settings that name where records come from. A state of one
 * is none of another. */
#define STREAM_IDENTITY_BYTES 256
void stream_identity(const struct stream *st, char out[STREAM_IDENTITY_BYTES]);

/* Append the name of the budget that its calls count against: "forge APP". */
void stream_budget_key(const struct stream *st, struct buf *out);

extern const struct source source_forge;
extern const struct source source_nodion;
extern const struct source source_fly;
extern const struct source source_scalingo;
extern const struct source source_hoody;

#endif
