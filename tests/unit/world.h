/* world.h -- a store in a folder of its own, and a clock that tests move. */
#ifndef OTLPULL_TESTS_WORLD_H
#define OTLPULL_TESTS_WORLD_H

#include <stdlib.h>

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "state/store.h"

struct world {
    struct fake_clock fake;
    struct store *store;
    char root[64], path[96];
};

static inline int world_make(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct error err = { 0 };
    assert_non_null(w);
    *w = (struct world){ .fake = fake_clock(), .root = "/tmp/otlpull-test-XXXXXX" };
    *state = w;
    if (!mkdtemp(w->root))
        return -1;
    snprintf(w->path, sizeof(w->path), "%s/a/b", w->root);
    w->store = store_open(w->path, &w->fake.clk, &err);
    return w->store ? 0 : -1;
}

static inline int world_remove(void **state)
{
    struct world *w = *state;
    char command[128];
    w->store->close(w->store);
    snprintf(command, sizeof(command), "rm -rf '%s'", w->root);
    int rc = system(command); /* the folder is this test's own */
    free(w);
    return rc;
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_make, world_remove)

#endif
