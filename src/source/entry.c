#include "entry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sink.h"

/* One that is not among the latest is noted again: twice in the list is once in a batch. */
#define RESOURCES_SEARCHED 64

/* Where a written record stands in the page's text, and its resource. */
struct page_mark {
    size_t begin, end;
    uint32_t resource; /* 0: none of its own; else 1 + its index */
};

static void put_quoted(struct page *page, struct bytes text)
{
    otlp_put_string(sink_of(&page->text), text.data, text.len);
}

static struct page_mark *open_mark(struct page *page)
{
    return &page->marks[page->mark_count];
}

void entry_begin(struct page *page, int64_t unix_ns)
{
    if (page->mark_count == page->mark_capacity) {
        page->mark_capacity = page->mark_capacity ? 2 * page->mark_capacity : 64;
        page->marks = xreallocarray(page->marks, page->mark_capacity, sizeof(*page->marks));
    }
    *open_mark(page) = (struct page_mark){ .begin = page->text.len };
    buf_printf(&page->text, "{\"timeUnixNano\":\"%lld\"", (long long)(unix_ns > 0 ? unix_ns : 0));
}

void entry_severity(struct page *page, struct bytes word)
{
    int number = otlp_severity_of_text(word.data, word.len);
    if (number > 0)
        buf_printf(&page->text, ",\"severityNumber\":%d", number);
    if (word.len == 0)
        return;
    buf_append_text(&page->text, ",\"severityText\":");
    put_quoted(page, word);
}

void entry_body(struct page *page, struct bytes text)
{
    buf_append_text(&page->text, ",\"body\":{\"stringValue\":");
    put_quoted(page, text);
    buf_append_char(&page->text, '}');
}

bool entry_trace_id(struct page *page, struct bytes text)
{
    char id[32];
    size_t digits = 0;
    bool any = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '-')
            continue;
        if (digits == sizeof(id) || !strchr("0123456789abcdefABCDEF", c) || c == '\0')
            return false;
        any = any || c != '0';
        id[digits++] = c >= 'A' && c <= 'F' ? (char)(c | 32) : c;
    }
    if (digits != sizeof(id) || !any)
        return false;
    buf_printf(&page->text, ",\"traceId\":\"%.32s\"", id);
    return true;
}

/* Up to the value of one more attribute. */
static void begin_attribute(struct page *page, const char *key)
{
    bool first = !page->in_attributes;
    page->in_attributes = true;
    buf_append_text(&page->text, first ? ",\"attributes\":[{\"key\":" : ",{\"key\":");
    put_quoted(page, bytes_of(key));
    buf_append_text(&page->text, ",\"value\":");
}

void entry_string(struct page *page, const char *key, struct bytes value)
{
    if (value.len == 0)
        return;
    begin_attribute(page, key);
    buf_append_text(&page->text, "{\"stringValue\":");
    put_quoted(page, value);
    buf_append_text(&page->text, "}}");
}

void entry_int(struct page *page, const char *key, int64_t value)
{
    begin_attribute(page, key);
    buf_printf(&page->text, "{\"intValue\":\"%lld\"}}", (long long)value);
}

void entry_double(struct page *page, const char *key, double value)
{
    if (!isfinite(value))
        return;
    begin_attribute(page, key);
    buf_printf(&page->text, "{\"doubleValue\":%.17g}}", value);
}

void entry_bool(struct page *page, const char *key, bool value)
{
    begin_attribute(page, key);
    buf_printf(&page->text, "{\"boolValue\":%s}}", value ? "true" : "false");
}

void entry_end(struct page *page, uint32_t resource)
{
    buf_append_text(&page->text, page->in_attributes ? "]}" : "}");
    page->in_attributes = false;
    open_mark(page)->end = page->text.len;
    open_mark(page)->resource = resource;
    page->mark_count++;
}

/* Its attributes' text; 0: none. */
static struct bytes resource_text(const struct page *page, uint32_t number)
{
    if (number == 0)
        return (struct bytes){ "", 0 };
    size_t begin = number > 1 ? page->resource_ends[number - 2] : 0;
    return (struct bytes){ buf_bytes(&page->resources).data + begin,
                           page->resource_ends[number - 1] - begin };
}

uint32_t page_resource(struct page *page, const struct resource_value *list, size_t count)
{
    struct buf *text = &page->resources;
    size_t begin = text->len;
    for (size_t i = 0; i < count; i++) {
        if (list[i].value.len == 0)
            continue;
        buf_append_text(text, text->len > begin ? ",{\"key\":" : "{\"key\":");
        otlp_put_string(sink_of(text), list[i].key, strlen(list[i].key));
        buf_append_text(text, ",\"value\":{\"stringValue\":");
        otlp_put_string(sink_of(text), list[i].value.data, list[i].value.len);
        buf_append_text(text, "}}");
    }
    struct bytes made = { buf_bytes(text).data + begin, text->len - begin };
    uint32_t number = (uint32_t)page->resource_count;
    uint32_t oldest = number > RESOURCES_SEARCHED ? number - RESOURCES_SEARCHED : 0;
    while (number > oldest && !bytes_equal(made, resource_text(page, number)))
        number--;
    if (made.len == 0)
        return 0;
    if (number == oldest) {
        if (page->resource_count == page->resource_capacity) {
            page->resource_capacity = page->resource_capacity ? 2 * page->resource_capacity : 8;
            page->resource_ends = xreallocarray(page->resource_ends, page->resource_capacity,
                                                sizeof(*page->resource_ends));
        }
        page->resource_ends[page->resource_count++] = text->len;
        return (uint32_t)page->resource_count;
    }
    text->len = begin;
    return number;
}

struct bytes page_resource_of(const struct page *page, size_t record)
{
    return resource_text(page, record < page->mark_count ? page->marks[record].resource : 0);
}

int page_finish(struct page *page, struct error *err)
{
    if (page->text.full || page->resources.full)
        return error_set(err, ERR_INPUT, "records of more than %zu bytes", page->text.max);
    for (size_t i = 0; i < page->mark_count; i++) {
        const struct page_mark *mark = &page->marks[i];
        struct otlp_scan scan;
        struct otlp_record *record = page_add(page);
        if (!record)
            return error_set(err, ERR_INPUT, "more than %zu entries", i);
        otlp_scan_init(&scan, page->text.data + mark->begin, mark->end - mark->begin);
        if (!otlp_scan_record(&scan, record))
            return error_set(err, ERR_BUG, "a record that was written is none: %s", scan.problem);
    }
    return 0;
}
