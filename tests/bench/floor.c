/* floor.c -- what moving the bytes costs at least: asks for the same pages as otlpull does and
 * sends each on as it came, unread but for a search for the cursor at its end. One handle, kept
 * alive.
 *
 * usage: floor API SINK USER:TOKEN <first-pages
 * First pages are paths with a query, a line each; API and SINK are scheme://host:port. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR_KEY "\"cursor\":\""
#define LINE_BYTES 4096
#define URL_BYTES  16384
#define PAGE_MAX   ((size_t)256 << 20)

struct page {
    char *data;
    size_t len, capacity;
};

static size_t on_page(char *data, size_t size, size_t count, void *to)
{
    struct page *page = to;
    size_t len = size * count;
    if (len > PAGE_MAX - page->len)
        return 0;
    if (page->capacity - page->len < len) {
        size_t capacity = 2 * (page->len + len);
        char *longer = realloc(page->data, capacity);
        if (!longer)
            return 0;
        page->data = longer;
        page->capacity = capacity;
    }
    memcpy(page->data + page->len, data, len);
    page->len += len;
    return len;
}

static size_t on_answer(char *data, size_t size, size_t count, void *to)
{
    (void)data;
    (void)to;
    return size * count;
}

static int perform(CURL *easy, const char *url)
{
    long status = 0;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    CURLcode rc = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_OK && status == 200)
        return 0;
    fprintf(stderr, "floor: %s: %s, status %ld\n", url, curl_easy_strerror(rc), status);
    return -1;
}

static int get(CURL *easy, const char *url, const char *user, struct page *page)
{
    page->len = 0;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 131072L);
    curl_easy_setopt(easy, CURLOPT_USERPWD, user);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_page);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, page);
    return perform(easy, url);
}

static int post(CURL *easy, const char *url, struct curl_slist *headers, const struct page *page)
{
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, page->data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)page->len);
    return perform(easy, url);
}

/* The URL of the page behind this one; 0: there is none, -1: it does not fit. */
static int next_url(CURL *easy, const char *first, const struct page *page, char out[URL_BYTES])
{
    size_t key_len = strlen(CURSOR_KEY), tail = page->len < LINE_BYTES ? page->len : LINE_BYTES;
    const char *begin = page->data + page->len - tail, *end = page->data + page->len;
    const char *at = memmem(begin, tail, CURSOR_KEY, key_len);
    if (!at)
        return 0;
    at += key_len;
    const char *close = memchr(at, '"', (size_t)(end - at));
    if (!close || close == at)
        return 0;
    char *escaped = curl_easy_escape(easy, at, (int)(close - at));
    int len = escaped ? snprintf(out, URL_BYTES, "%s&cursor=%s", first, escaped) : -1;
    curl_free(escaped);
    return len > 0 && len < URL_BYTES ? 1 : -1;
}

int main(int argc, char **argv)
{
    struct page page = { 0 };
    char line[LINE_BYTES], first[LINE_BYTES + 256], url[URL_BYTES], sink[256];
    int pages = 0, rc = 0;
    if (argc != 4) {
        fputs("usage: floor API SINK USER:TOKEN <first-pages\n", stderr);
        return 64;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    snprintf(sink, sizeof(sink), "%s/v1/logs", argv[2]);
    while (rc == 0 && fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(first, sizeof(first), "%s%s", argv[1], line);
        snprintf(url, sizeof(url), "%s", first);
        int more = 1;
        while (rc == 0 && more > 0) {
            rc = get(easy, url, argv[3], &page) || post(easy, sink, headers, &page);
            pages += rc == 0;
            more = rc == 0 ? next_url(easy, first, &page, url) : 0;
        }
        rc = rc || more < 0;
    }
    printf("%d pages\n", pages);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    free(page.data);
    return rc ? 1 : 0;
}
