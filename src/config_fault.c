#include "config_fault.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FAULT_TEXT_MAX 1024
#define FAULT_LINE_MAX 8192 /* a file name may be 4096 */

static bool before(const struct place *a, const struct place *b)
{
    if (!a->variable != !b->variable)
        return !a->variable;
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

static size_t kept_count(const struct faults *f)
{
    return f->count < FAULTS_LISTED ? f->count : FAULTS_LISTED;
}

static void keep(struct faults *f, struct place at, const char *text)
{
    size_t kept = kept_count(f);
    f->count++;
    if (kept == FAULTS_LISTED) {
        if (!before(&at, &f->listed[--kept].at))
            return; /* the last one listed stands earlier */
    }
    size_t i = kept;
    for (; i > 0 && before(&at, &f->listed[i - 1].at); i--)
        f->listed[i] = f->listed[i - 1];
    f->listed[i] = (struct fault){ at, text };
}

static void add(struct faults *f, struct place at, const char *path, const char *words,
                enum error_kind kind)
{
    struct buf line = BUF_INIT(FAULT_LINE_MAX);
    int code = error_exit_code(kind);
    if (at.variable)
        buf_printf(&line, "%s: ", at.variable);
    else
        buf_printf(&line, "%s:%d:%d: ", f->file ? f->file : "", at.line, at.column);
    if (!at.variable && *path)
        buf_printf(&line, "%s: ", path);
    buf_append_text(&line, words);
    if (f->count == 0 || error_worse_exit_code(code, error_exit_code(f->kind)) == code)
        f->kind = kind;
    keep(f, at, arena_strdup(f->arena, buf_text(&line)));
    buf_release(&line);
}

void fault_add(struct faults *f, struct place at, const char *path, const char *format, ...)
{
    char words[FAULT_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    add(f, at, path, words, ERR_CONFIG);
}

void fault_add_error(struct faults *f, struct place at, const char *path, const struct error *err)
{
    add(f, at, path, err->text, err->kind);
}

void fault_path(char out[FAULT_PATH_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out, FAULT_PATH_MAX, format, args);
    va_end(args);
}

void faults_write(const struct faults *f, struct buf *out)
{
    size_t listed = kept_count(f);
    for (size_t i = 0; i < listed; i++)
        buf_printf(out, "%s\n", f->listed[i].text);
    if (f->count > listed)
        buf_printf(out, "and %zu more\n", f->count - listed);
}

void fault_quote(struct buf *out, const char *text)
{
    size_t len = strnlen(text, FAULT_SHOWN_MAX + 1);
    bool cut = len > FAULT_SHOWN_MAX;
    if (cut) {
        len = FAULT_SHOWN_MAX;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--; /* not inside a character */
    }
    buf_append_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        buf_append(out, c < 0x20 || c == 0x7f ? "?" : text + i, 1);
    }
    buf_append_text(out, cut ? "...\"" : "\"");
}
