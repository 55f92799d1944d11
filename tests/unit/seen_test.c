#include "seen.h"

#include <stdlib.h>

#include "tests/unit/check.h"

/* Read the prints of a text, a letter each, as one window; `want` are those that are new. */
static void read_window(struct seen *s, const char *prints, const char *want)
{
    char got[64] = "";
    size_t len = 0;
    for (; *prints; prints++) {
        if (seen_admit(s, (uint64_t)*prints << 8, false))
            got[len++] = *prints;
    }
    got[len] = '\0';
    check_text(got, want);
}

static void the_nth_copy_is_new_only_if_fewer_were_sent(void **state)
{
    struct seen s = { 0 };
    (void)state;
    read_window(&s, "abbc", "abbc"); /* twins within a window are two records */
    seen_settle(&s, 100, 50);
    read_window(&s, "bcbd", "d"); /* both are known; */
    seen_settle(&s, 200, 50);
    read_window(&s, "bbbdda", "bd"); /* a third and a second one are new, a was read again late */
    seen_release(&s);
}

static void a_window_is_forgotten_behind_the_horizon(void **state)
{
    struct seen s = { 0 };
    (void)state;
    read_window(&s, "a", "a");
    seen_settle(&s, 100, 50);
    read_window(&s, "b", "b");
    seen_settle(&s, 200, 101);
    read_window(&s, "ab", "a");
    seen_release(&s);
}

static void what_is_met_again_stays_known(void **state)
{
    struct seen s = { 0 };
    (void)state;
    read_window(&s, "ax", "ax");
    seen_settle(&s, 100, 50);
    read_window(&s, "a", ""); /* moves to the window that ends at 200 */
    seen_settle(&s, 200, 101);
    read_window(&s, "ax", "x");
    seen_release(&s);
}

static void a_window_begun_anew_sends_only_the_rest(void **state)
{
    struct seen s = { 0 };
    (void)state;
    read_window(&s, "aabc", "aabc");
    seen_rewind(&s, 0, 100);
    read_window(&s, "caabd", "d");
    seen_release(&s);
}

static void a_window_taken_up_counts_what_lies_behind_its_page(void **state)
{
    struct seen s = { 0 };
    (void)state;
    read_window(&s, "aab", "aab"); /* two on pages before, b on the page that comes again */
    seen_rewind(&s, 2, 100);
    check_i64(s.current_count, 2);
    read_window(&s, "bab", "ab"); /* a third a is new: the first two are not read again */
    seen_release(&s);
}

static void what_was_not_sent_after_all_is_new_again(void **state)
{
    struct seen s = { 0 };
    (void)state;
    read_window(&s, "abab", "abab");
    assert_true(seen_forget(&s, (uint64_t)'b' << 8));
    assert_false(seen_forget(&s, (uint64_t)'z' << 8));
    check_i64(s.current_count, 3);
    seen_rewind(&s, 0, 100);
    read_window(&s, "abab", "b");
    seen_release(&s);
}

static void it_goes_into_the_state_and_comes_back(void **state)
{
    struct seen s = { 0 }, again = { 0 };
    struct source_state st = SOURCE_STATE_INIT, copy = SOURCE_STATE_INIT;
    struct buf text = BUF_INIT(1 << 16);
    struct error err = { 0 };
    (void)state;
    read_window(&s, "aabc", "aabc");
    seen_settle(&s, 100, 50);
    read_window(&s, "ade", "de");
    memcpy(st.identity, "x", 2);
    st.unfinished = true;
    st.window_end_unix_ns = 200;
    seen_lend(&s, &st);
    check_i64(st.older_count, 1);
    check_i64(st.older[0].count, 3); /* one a was met again, and is now the window's */
    check_i64(st.older[0].end_unix_ns, 100);
    check_i64(st.window_prints.count, 3);
    state_write(&st, &text);
    seen_unlend(&st);
    check_i64(st.older_count, 0);
    assert_int_equal(state_read(buf_bytes(&text), &copy, &err), 0);
    seen_take(&again, &copy);
    check_i64(copy.older_count, 0);
    seen_rewind(&again, 0, 200);
    read_window(&again, "edcbaaa", "a");
    seen_release(&s);
    seen_release(&again);
    state_release(&st);
    state_release(&copy);
    buf_release(&text);
}

/* The state of a run that was ended after very few records. */
static void it_goes_on_from_few(void **state)
{
    (void)state;
    for (size_t few = 0; few < 4; few++) {
        struct seen s = { 0 };
        struct source_state st = SOURCE_STATE_INIT;
        st.window_prints.items = xcalloc(few, sizeof(uint64_t));
        st.window_prints.count = few;
        seen_take(&s, &st);
        read_window(&s, "abcdefgh", "abcdefgh");
        check_i64(s.current_count, (int64_t)few + 8);
        seen_release(&s);
        state_release(&st);
    }
}

static void many_twins_cost_no_more_than_others(void **state)
{
    struct seen s = { 0 };
    size_t sent = 0;
    (void)state;
    for (int i = 0; i < 200000; i++)
        sent += seen_admit(&s, 7 << 8, true);
    seen_settle(&s, 100, 50);
    for (int i = 0; i < 200001; i++)
        sent += seen_admit(&s, 7 << 8, true);
    check_i64(sent, 200001);
    seen_release(&s);
}

static void of_many_only_those_near_the_end_are_kept(void **state)
{
    struct seen s = { 0 };
    const uint64_t count = SEEN_SMALL + 1;
    size_t again = 0;
    (void)state;
    for (uint64_t i = 0; i < count; i++)
        seen_admit(&s, i << 8, i % 100 == 0);
    seen_settle(&s, 100, 50);
    check_i64(s.older[0].total, (count + 99) / 100);
    for (uint64_t i = 0; i < count; i += 100)
        again += seen_admit(&s, i << 8, true);
    check_i64(again, 0);
    seen_release(&s);
}

static void it_is_bounded(void **state)
{
    struct seen s = { 0 };
    (void)state;
    for (uint64_t i = 0; i < SEEN_MAX + 10; i++)
        seen_admit(&s, i << 8, false);
    check_i64(s.current_count, SEEN_MAX);
    seen_settle(&s, 100, 50);
    check_i64(s.older_count, 0);
    seen_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_copy_is_new_only_if_fewer_were_sent),
        cmocka_unit_test(a_window_is_forgotten_behind_the_horizon),
        cmocka_unit_test(what_is_met_again_stays_known),
        cmocka_unit_test(a_window_begun_anew_sends_only_the_rest),
        cmocka_unit_test(a_window_taken_up_counts_what_lies_behind_its_page),
        cmocka_unit_test(what_was_not_sent_after_all_is_new_again),
        cmocka_unit_test(it_goes_into_the_state_and_comes_back),
        cmocka_unit_test(it_goes_on_from_few),
        cmocka_unit_test(many_twins_cost_no_more_than_others),
        cmocka_unit_test(of_many_only_those_near_the_end_are_kept),
        cmocka_unit_test(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
