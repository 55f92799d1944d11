/* replay_main.c -- runs a fuzz target over the files and folders given, without a fuzzer: how `make
 * test` keeps what fuzzing has found. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "fuzz.h"

#define INPUT_MAX ((size_t)64 << 20)

static int replay_file(const char *path)
{
    struct buf content = BUF_INIT(INPUT_MAX);
    char block[65536];
    size_t len;
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    while ((len = fread(block, 1, sizeof(block), file)) > 0)
        buf_append(&content, block, len);
    int failed = ferror(file);
    fclose(file);
    if (!failed) {
        /* In a block of just its size: a sanitizer then sees a read past its end. */
        uint8_t *exact = xmalloc(content.len);
        memcpy(exact, buf_bytes(&content).data, content.len);
        LLVMFuzzerTestOneInput(exact, content.len);
        free(exact);
    }
    buf_release(&content);
    return failed ? -1 : 1;
}

/* Replay a file, or every file of a folder; returns how many, or -1. */
static int replay(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        return replay_file(path);
    DIR *folder = opendir(path);
    if (!folder) {
        perror(path);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        struct buf inner = BUF_INIT(4096);
        buf_printf(&inner, "%s/%s", path, entry->d_name);
        int inside = replay(buf_text(&inner));
        count = inside < 0 ? -1 : count + inside;
        buf_release(&inner);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int inside = replay(argv[i]);
        if (inside < 0)
            return 1;
        count += inside;
    }
    printf("%d inputs replayed\n", count);
    return 0;
}
