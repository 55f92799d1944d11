/* page.c -- the records of one frame. Their number is bounded: a frame of nothing but {} would make
 * forty bytes of memory out of each of its own. */
#include "source.h"

#include <stdlib.h>

#define PAGE_MAX_RECORDS ((size_t)1 << 20) /* 92 MB of them: no platform's page comes near */

struct otlp_record *page_add(struct page *page)
{
    if (page->count == page->capacity) {
        if (page->capacity == PAGE_MAX_RECORDS)
            return NULL;
        page->capacity = page->capacity ? page->capacity * 2 : 64;
        page->records = xreallocarray(page->records, page->capacity, sizeof(*page->records));
    }
    return &page->records[page->count++];
}

void page_reset(struct page *page)
{
    page->count = 0;
    page->next.more = false;
    buf_reset(&page->next.text);
    page->lost = (struct span){ 0, 0 };
    page->status = 0;
    buf_reset(&page->text);
    buf_reset(&page->resources);
    page->mark_count = page->resource_count = 0;
}

void page_release(struct page *page)
{
    free(page->records);
    free(page->marks);
    free(page->resource_list);
    buf_release(&page->next.text);
    buf_release(&page->text);
    buf_release(&page->resources);
    *page = (struct page)PAGE_INIT;
}
