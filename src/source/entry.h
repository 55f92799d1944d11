/* entry.h -- writes what a platform says in a form of its own as OTLP/JSON records of a page.
 *
 *   entry_begin(page, time); entry_body(...); entry_attribute(...) ...; entry_end(page, resource);
 *   ...
 *   page_finish(page);       makes page->records of all that was written
 *
 * Severity, body and trace id come before the first attribute, each at most once; empty values are
 * left out. Texts may be any bytes: what is written is JSON in UTF-8. */
#ifndef OTLPULL_SOURCE_ENTRY_H
#define OTLPULL_SOURCE_ENTRY_H

#include "source.h"

/* Begin a record; `unix_ns` 0: its time is not known. */
void entry_begin(struct page *page, int64_t unix_ns);

/* The vendor's word as it stands, and its number by the usual words; none where it is unknown. */
void entry_severity(struct page *page, struct bytes word);
void entry_body(struct page *page, struct bytes text);

/* 32 hex digits, dashes between them or not, and not all 0; false, with nothing written, for any
 * other text. */
bool entry_trace_id(struct page *page, struct bytes text);

void entry_string(struct page *page, const char *key, struct bytes value);
void entry_int(struct page *page, const char *key, int64_t value);
void entry_double(struct page *page, const char *key, double value); /* finite ones */
void entry_bool(struct page *page, const char *key, bool value);

/* End it; `resource` as page_resource() gave it. */
void entry_end(struct page *page, uint32_t resource);

/* The number of a resource in this page: `count` attributes, those without a value left out. What
 * is the same of all records, and may be told otherwise the next time, stands last and is `common`:
 * it does not tell one record from another. */
struct resource_value {
    const char *key;
    struct bytes value;
    bool common;
};
uint32_t page_resource(struct page *page, const struct resource_value *list, size_t count);

/* Make records of what was written. ERR_INPUT: more than a page may hold. */
int page_finish(struct page *page, struct error *err);

#endif
