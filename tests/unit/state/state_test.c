#include "state/state.h"

#include <stdlib.h>

#include "base/clock.h"
#include "tests/unit/check.h"

#define T INT64_C(1762930800000000000)

static uint64_t *copy_of(const uint64_t *items, size_t count)
{
    uint64_t *copy = xreallocarray(NULL, count, sizeof(*copy));
    memcpy(copy, items, count * sizeof(*copy));
    return copy;
}

static void all_of_it_comes_back(void **state)
{
    static const uint64_t prints[] = { 1, UINT64_MAX, 0x0123456789abcdef };
    struct source_state st = SOURCE_STATE_INIT, again = SOURCE_STATE_INIT;
    struct buf text = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
    struct error err = { 0 };
    (void)state;
    memcpy(st.identity, "forge \"a\"", sizeof("forge \"a\""));
    st.started = st.unfinished = true;
    st.checkpoint_unix_ns = T + 1;
    st.window_start_unix_ns = T;
    st.window_end_unix_ns = T + NS_PER_S;
    st.query = UINT64_MAX;
    st.passed = 2;
    buf_append_text(&st.cursor, "0 a\"\\+/=");
    st.window_prints = (struct sent_prints){ 0, copy_of(prints, 3), 3 };
    st.older = xcalloc(2, sizeof(*st.older));
    st.older[0] = (struct sent_prints){ T - 5, copy_of(prints, 2), 2 };
    st.older[1] = (struct sent_prints){ T - 3, copy_of(prints, 1), 1 };
    st.older_count = 2;
    state_add_gap(&st, T - 100, T - 50);
    st.last_run = (struct run_record){ T, T + 5, 75, { 1, 2, 3, 4, 5, 6 } };
    state_write(&st, &text);
    assert_int_equal(state_read(buf_bytes(&text), &again, &err), 0);
    state_write(&again, &second);
    check_text(buf_text(&second), buf_text(&text));
    check_text(again.identity, st.identity);
    check_i64(again.checkpoint_unix_ns, T + 1);
    check_i64(again.window_end_unix_ns, T + NS_PER_S);
    check_i64(again.passed, 2);
    check_text(buf_text(&again.cursor), "0 a\"\\+/=");
    check_i64(memcmp(again.window_prints.items, prints, sizeof(prints)), 0);
    check_i64(again.older[1].count, 1);
    check_i64(again.gaps[0].to_unix_ns, T - 50);
    check_i64(again.last_run.counts.bytes, 6);
    check_i64(again.last_run.exit_code, 75);
    state_release(&st);
    state_release(&again);
    buf_release(&text);
    buf_release(&second);
}

static void many_prints_cost_little_more_than_their_bytes(void **state)
{
    struct source_state st = SOURCE_STATE_INIT, again = SOURCE_STATE_INIT;
    struct buf text = BUF_INIT(4 << 20);
    struct error err = { 0 };
    const size_t count = 100000;
    (void)state;
    st.older = xcalloc(1, sizeof(*st.older));
    st.older_count = 1;
    st.older[0] = (struct sent_prints){ T, xcalloc(count, sizeof(uint64_t)), count };
    for (size_t i = 0; i < count; i++)
        st.older[0].items[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    state_write(&st, &text);
    check_i64(text.len < count * 11, true);
    assert_int_equal(state_read(buf_bytes(&text), &again, &err), 0);
    check_i64(memcmp(again.older[0].items, st.older[0].items, count * sizeof(uint64_t)), 0);
    state_release(&st);
    state_release(&again);
    buf_release(&text);
}

static void gaps_join_and_are_bounded(void **state)
{
    struct source_state st = SOURCE_STATE_INIT;
    (void)state;
    state_add_gap(&st, 0, 10);
    state_add_gap(&st, 10, 20); /* the edge moved on while we tried */
    check_i64(st.gap_count, 1);
    check_i64(st.gaps[0].to_unix_ns, 20);
    for (int i = 1; i < 3 * STATE_GAPS; i++)
        state_add_gap(&st, 100 * i, 100 * i + 10);
    check_i64(st.gap_count, STATE_GAPS);
    check_i64(st.gaps[0].from_unix_ns, 0); /* the oldest of all is still told */
    check_i64(st.gaps[STATE_GAPS - 1].to_unix_ns, 100 * (3 * STATE_GAPS - 1) + 10);
    state_release(&st);
}

static void nonsense_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "{}",
        "[]",
        "{\"identity\":7}",
        "{\"identity\":\"a\",\"checkpoint\":\"soon\"}",
        "{\"identity\":\"a\",\"sent\":[{}]}",
        "{\"identity\":\"a\",\"sent\":[{\"end\":\"2026-11-21T07:35:32Z\",\"prints\":\"AQI=\"}]}",
        "{\"identity\":\"a\",\"sent\":[{\"end\":\"2026-11-21T07:35:32Z\",\"prints\":\"?\"}]}",
        "{\"identity\":\"a\",\"gaps\":[{\"from\":\"2026-11-21T07:35:32Z\"}]}",
        "{\"identity\":\"a\",\"last_run\":{}}",
        "{\"identity\":\"a\",\"window\":{\"start\":\"2026-11-21T07:35:32Z\",\"query\":\"0\","
        "\"cursor\":\"\",\"passed\":1,\"end\":\"2026-11-21T08:35:32Z\",\"prints\":\"\"}}",
        "{\"identity\":\"a\",\"window\":{\"start\":\"2026-11-21T07:35:32Z\",\"query\":\"0\","
        "\"cursor\":\"\",\"passed\":0,\"end\":\"2026-11-21T07:35:32Z\",\"prints\":\"\"}}",
        "{\"identity\":\"a\",\"window\":{\"start\":\"2026-11-21T07:35:32Z\",\"query\":\"x\","
        "\"cursor\":\"\",\"passed\":0,\"end\":\"2026-11-21T08:35:32Z\",\"prints\":\"\"}}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct source_state st = SOURCE_STATE_INIT;
        struct error err = { 0 };
        check_row(rows[i]);
        check_i64(state_read(bytes_of(rows[i]), &st, &err), -1);
        check_i64(err.kind, ERR_STATE);
        check_i64(err.text[0] != '\0', true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_comes_back),
        cmocka_unit_test(many_prints_cost_little_more_than_their_bytes),
        cmocka_unit_test(gaps_join_and_are_bounded),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
