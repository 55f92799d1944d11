#include "diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/jread.h"
#include "base/timefmt.h"

#define LINE_MAX_BYTES 8192

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const int priorities[] = { 7, 6, 4, 3 }; /* LOG_DEBUG and so on of syslog(3) */

static bool plain(const char *text)
{
    return *text && text[strcspn(text, " \"=\\")] == '\0';
}

/* `time` is NULL where the reader knows it, and who says this how loudly. */
static void text_line(struct buf *line, const char *time, enum diag_level level,
                      const char *message, const struct diag_field *fields, size_t count)
{
    if (time)
        buf_printf(line, "%s %-5s otlpull: ", time, level_names[level]);
    buf_append_text(line, message);
    for (size_t i = 0; i < count; i++) {
        buf_printf(line, " %s=", fields[i].name);
        if (!fields[i].text)
            buf_printf(line, "%lld", (long long)fields[i].number);
        else if (plain(fields[i].text))
            buf_append_text(line, fields[i].text);
        else
            jread_quote(line, fields[i].text);
    }
}

static void json_line(struct buf *line, const char *time, enum diag_level level,
                      const char *message, const struct diag_field *fields, size_t count)
{
    buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time, level_names[level]);
    jread_quote(line, message);
    for (size_t i = 0; i < count; i++) {
        buf_printf(line, ",\"%s\":", fields[i].name);
        if (fields[i].text)
            jread_quote(line, fields[i].text);
        else
            buf_printf(line, "%lld", (long long)fields[i].number);
    }
    buf_append_char(line, '}');
}

bool diag_is_journal(int fd, const char *stream)
{
    struct stat st;
    char own[64];
    if (!stream || fstat(fd, &st))
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(own, stream) == 0;
}

void diag_event(const struct diag *d, enum diag_level level, const char *message,
                const struct diag_field *fields, size_t count)
{
    if (level < d->level)
        return;
    int saved_errno = errno;
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    char time[TIMEFMT_MAX];
    timefmt_rfc3339(clock_unix_ns(d->clk), 3, time);
    if (d->journal)
        buf_printf(&line, "<%d>", priorities[level]);
    if (d->json)
        json_line(&line, time, level, message, fields, count);
    else
        text_line(&line, d->journal ? NULL : time, level, message, fields, count);
    for (size_t i = 0; i < line.len; i++) {
        if ((unsigned char)line.data[i] < 0x20) /* one event, one line, whatever it quotes */
            line.data[i] = ' ';
    }
    buf_append_char(&line, '\n');
    for (size_t done = 0; done < line.len;) {
        ssize_t n = write(d->fd, line.data + done, line.len - done);
        if (n < 0 && errno != EINTR)
            break; /* nobody reads: there is no one left to tell */
        done += n > 0 ? (size_t)n : 0;
    }
    buf_release(&line);
    errno = saved_errno;
}

void diag_say(const struct diag *d, enum diag_level level, const char *format, ...)
{
    if (level < d->level)
        return;
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    diag_event(d, level, message, NULL, 0);
}
